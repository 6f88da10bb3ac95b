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
              export, duplicates
    floor 8   follow, search, upkeep, replica
              replica_store, web, archive
              replica_files, text
    floor 7   index, remarks, server_store
              edge_store, word_search
              readiness, hits_table
              bucket_source, places
              place_files
    floor 6   edge_queries, server_queries
              server_clients, server_layout
              hits, around, status, floor
              absence, passes, flows
              place_points, former_places
              photo_buckets
              likes, near_equals
    floor 5   embedding, store, record
              download, adoption
              sources, progress, access
              place_locks, vector_space
              place, bucket_listing, stand_in
              bucket_kinds, text_worker
    floor 4   clip, cache, state, listing
              photo_files, bucket_files
              proxies, running_app
              question, towers, device_batch
              qdrant_nodes, drive, text_reader
              jpeg_decoders
    floor 3   photos, looks
              thumbnails, batches, pipeline
              batch_sizes, devices
              model_files, postgres, attempts, connections
              qdrant_errors, exclusions
              key_file, own_places
              starting_servers, pixel_values
              buckets, served_photos, drive_api
              jpeg_server, cpu_batch
    floor 2   decode, settings, folding
              workers
              fusion, matches, model_input
              drive_entries, drive_errors
              status_fields, jpeg_codec
    floor 1   streamed, pillow_photo
              colour, repair, sequence
              bmp, raw, headers
              edge_target, points, names
              asked_words
              addresses, bucket_errors
              spans, queue_events
              staged_jobs
              spreadsheet, remote_files
              text_pieces, text_status
              embedded_photo, packing
              attention
              jpeg_client
    floor 0   bucket_addresses
              patterns, hardware
              stopping, name_words
              filters, kinds
              dates, metadata
              placeholder
              files, guests, memory
              text_encoder, last_layer
              reports
              keys, forwarded
              in_flight, reasons, quiet, pulse
              png, boxes, orientation
              samples, cicp
              worker_process, postgres_programs
              pytorch, root_path
              early_answers, pieces
              programs, model_config
              text_lines, text_model
              store_errors, search_errors
              grouped_writes, plain_jpeg
              jpeg_messages, garbage

A photo of the folder:
    sources -> CocoIndex -> embedding
    -> photos -> decode (in a worker)
    -> jpeg_client -> jpeg_server (with a GPU)
    -> towers -> clip (in another)
    -> store
One of a bucket: photo_buckets
    (buckets, drive) -> bucket_source
    -> CocoIndex, and on as above
Words on photos, once it has its vector:
    text -> text_worker -> text_reader (in a
    worker) -> text -> store
A search:
    connections -> proxies
    -> access -> main
    -> turns -> search -> word_search
    -> remarks
    -> embedding (clip) -> store

Apart from all of that, starter/ builds a small
model where no hub can be reached.
"""
