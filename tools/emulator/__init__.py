"""Virtual peripherals: sensor families over a stand-in for the Linux Bluetooth service."""
