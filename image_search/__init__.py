"""What main.py stands on, one subject a room.

Each room imports only from lower floors:

    floor 14  command
    floor 13  mcp_endpoint, ask_command
    floor 12  mcp_tools, by_itself
    floor 11  refusals, monitoring
              skipped
    floor 10  examples, roles
    floor 9   turns, folders, engines
              photo_record, months
              export
    floor 8   follow, search, upkeep, replica
              replica_store
    floor 7   index, remarks, server_store
              web, archive, readiness
              replica_files, hits_table
    floor 6   edge_store, server_queries
              server_clients, server_layout
              hits, around, status, floor
              absence, passes, flows
              place_points, place_files
              former_places
    floor 5   embedding, store, record
              download, adoption
              sources, progress, access
              place_locks, vector_space
    floor 4   clip, cache, state, listing
              photo_files, proxies
              running_app
              batches, question
              qdrant_nodes
    floor 3   photos, looks
              thumbnails, workers
              postgres, attempts, connections
              qdrant_errors, exclusions
              key_file
    floor 2   decode, own_places
    floor 1   streamed, pillow_photo
              colour, repair, sequence
              bmp, raw, headers
              folding, settings, edge_target
              spreadsheet
    floor 0   addresses, patterns, hardware
              stopping
              points, filters, kinds
              dates, metadata, names
              placeholder
              files, guests, memory
              keys, forwarded
              in_flight, reasons, quiet, pulse
              png, boxes, orientation
              samples, cicp
              worker_process, postgres_programs
              pytorch, root_path
              early_answers, pieces
              programs

A photo of the folder:
    sources -> CocoIndex -> embedding
    -> photos -> decode (in a worker)
    -> clip (in another)
    -> store
A search:
    connections -> proxies
    -> access -> main
    -> turns -> search -> remarks
    -> embedding (clip) -> store

Apart from all of that, starter/ builds a small
model where no hub can be reached.
"""
