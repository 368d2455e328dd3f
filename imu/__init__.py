"""One sensor: what it sends, when it sent it, how it lies in space, and the file that keeps it."""
