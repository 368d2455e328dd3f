"""Migrations of the clinic's store, run by `rom.clinic.store_upgrade`."""
