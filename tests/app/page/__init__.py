"""Tests of the page; one app and one browser serve all of them in a process."""
