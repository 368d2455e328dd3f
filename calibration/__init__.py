"""From sensors to segments: sensor calibration, sensor-to-segment alignment, relative heading."""
