"""Movements and structures as data, and their loader."""
