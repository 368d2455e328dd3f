"""What people touch: the command line, the application, reports, exchange, emulated sensors."""
