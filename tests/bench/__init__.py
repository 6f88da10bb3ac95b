"""How quick the app is, beside the tutorial's way of doing it: `make bench`."""
