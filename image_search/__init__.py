"""What main.py stands on, one subject a room.

Each room imports only from lower floors:

    floor 4   index
    floor 3   edge_store, server_store
              search, status
    floor 2   embedding, store
              web, download, adoption
    floor 1   clip, state, sources, flows
              thumbnails, access, qdrant_errors
    floor 0   settings, photos, points, filters
              workers, hardware

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
