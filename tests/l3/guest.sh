#!/bin/bash
# Inside the guest: a system bus, the real Bluetooth service, and the trial.
export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up 2> /dev/null
mkdir -p /run/dbus /var/lib/bluetooth /etc/bluetooth
cp -r "$l3_work/unpacked/etc/dbus-1/system.d/." /etc/dbus-1/system.d/ 2> /dev/null
if [ -n "$l3_main_conf" ]; then cp "$l3_main_conf" /etc/bluetooth/main.conf; fi
dbus-uuidgen --ensure 2> /dev/null
dbus-daemon --system --fork
daemon=$(find "$l3_work/unpacked" -name bluetoothd -type f | head -1)
"$daemon" -n > /tmp/bluetoothd.log 2>&1 &
sleep 1
cd "$l3_project" || exit 1
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$l3_project:$l3_work/site" \
    "$l3_project/.venv/bin/python" tests/l3/trial.py "$l3_sensors" "$l3_seconds" "$daemon"
status=$?
if [ $status -ne 0 ]; then tail -20 /tmp/bluetoothd.log; fi
exit $status
