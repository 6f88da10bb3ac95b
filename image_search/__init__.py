"""What main.py stands on, one subject a room.

Each room imports only from lower floors:

    floor 6   follow
    floor 5   index, turns, skipped
    floor 4   edge_store, server_store
              search, status, absence
              passes
    floor 3   embedding, store, record
              web, download, adoption
              sources
    floor 2   clip, cache, state, listing
              flows, photo_files, access
    floor 1   photos, thumbnails, workers
              postgres, attempts, connections
              qdrant_errors, exclusions
    floor 0   settings, hardware, stopping
              points, filters, kinds
              dates, headers, metadata
              files, guests, memory, colour
              in_flight
              worker_process, postgres_programs

A photo of the folder:
    sources -> CocoIndex -> embedding
    -> photos (in a worker), clip (in another)
    -> store
A search:
    connections -> access -> main
    -> turns -> search
    -> embedding (clip) -> store

Apart from all of that, starter/ builds a small
model where no hub can be reached.
"""
