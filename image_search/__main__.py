"""The command `image-search`, where it is not installed: `python -m image_search`."""

from image_search.command import main

if __name__ == "__main__":
    main()
