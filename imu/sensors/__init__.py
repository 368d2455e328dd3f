"""Sensor families: bytes to samples and back, one file each. No radio, no clock."""
