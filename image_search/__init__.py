"""What main.py stands on, one subject a room.

Each room imports only from lower floors:

    floor 6   follow
    floor 5   index
    floor 4   edge_store, server_store
              search, status, absence
    floor 3   store
    floor 2   embedding, state
              web, download, record
    floor 1   clip, postgres, sources, flows
              thumbnails, access, cache
    floor 0   settings, photos
              workers, hardware
              postgres_programs, stopping

A photo of the folder:
    sources -> CocoIndex -> embedding
    -> photos (in a worker), clip (in another)
    -> store
A search:
    access -> main -> search
    -> embedding (clip) -> store

Apart from all of that, starter/ builds a small
model where no hub can be reached.
"""
