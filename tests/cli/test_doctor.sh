# SPDX-License-Identifier: Apache-2.0
# doctor and top on systems made of files: a healthy one, then one fault at a time, each named with its fix.

put() # FILE TEXT: a file below the system's folder
{
	mkdir -p "$(dirname "sys$1")" && printf '%s\n' "$2" >"sys$1"
}

device=/sys/devices/pci0000:00/0000:00:0b.0
healthy() # a Lunar Lake laptop with everything installed
{
	rm -rf sys
	put /proc/cpuinfo "processor	: 0
model name	: Some Processor 200V"
	put /proc/sys/kernel/osrelease "6.12.9-amd64"
	put /etc/os-release 'PRETTY_NAME="Some Linux 13"'
	put $device/vendor 0x8086
	put $device/device 0x643e
	put $device/npu_busy_time_us 1000000
	put $device/npu_memory_utilization 152000000
	put $device/npu_current_frequency_mhz 1400
	put $device/npu_max_frequency_mhz 1950
	put $device/power/runtime_status active
	mkdir -p sys/sys/bus/pci/devices sys$device/accel/accel0 sys/sys/bus/pci/drivers/intel_vpu sys/dev/accel
	ln -s ../../../devices/pci0000:00/0000:00:0b.0 sys/sys/bus/pci/devices/0000:00:0b.0
	ln -s ../../../bus/pci/drivers/intel_vpu sys$device/driver
	put /sys/module/intel_vpu/version 1.0.0
	put /lib/firmware/intel/vpu/vpu_40xx_v1.bin firmware
	put /dev/accel/accel0 ""
	lib=/usr/lib/x86_64-linux-gnu
	put $lib/libze_loader.so.1.20.0 x
	put $lib/libze_intel_npu.so.1.19.0 x
	put $lib/libnpu_driver_compiler.so x
	ln -s libze_loader.so.1.20.0 sys$lib/libze_loader.so.1
	ln -s libze_intel_npu.so.1.19.0 sys$lib/libze_intel_npu.so.1
	mkdir -p sys/proc/4711/fd
	put /proc/4711/comm camera
	ln -s /dev/accel/accel0 sys/proc/4711/fd/3
}

healthy
expect_exit 0 "$TARN" doctor --root sys --strict
expect_stdout_contains "Lunar Lake (4000) at 0000:00:0b.0 (8086:643e)"
expect_stdout_contains "intel_vpu 1.0.0"
expect_stdout_contains "active, 1400 of 1950 MHz"
expect_stdout_contains "libze_loader.so.1 1.20.0"
expect_stdout_contains "Some Processor 200V"
expect_stdout_lacks "FAULT"
expect_exit 0 "$TARN" doctor --root sys --report
expect_json faults 0
expect_stdout_lacks "$(pwd)"

# fault WHAT FIX: the last change shows as a fault with that fix, --strict says so, nothing else is accused.
fault()
{
	expect_exit 0 "$TARN" doctor --root sys
	expect_stdout_contains "$1"
	expect_stdout_contains "$2"
	expect_stdout_contains "1 fault; first:"
	expect_exit 5 "$TARN" doctor --root sys --strict
	expect_stderr_lines 1
	healthy
}

put /proc/sys/kernel/osrelease "6.1.0-28-amd64"
fault "6.1.0-28-amd64 has no driver" "6.3 or newer"
put /proc/sys/kernel/osrelease "6.6.87-microsoft-standard-WSL2"
fault "WSL, which has no NPU" "on Windows or Linux itself"
rm sys$device/driver
rm -r sys/sys/module/intel_vpu
fault "no kernel driver has taken the NPU" "sudo modprobe intel_vpu"
rm -r sys/lib/firmware
fault "firmware" "linux-npu-driver"
rm sys/dev/accel/accel0
fault "/dev/accel/accel0 is missing" "reboot"
touch sys/.dockerenv
rm sys/dev/accel/accel0
fault "/dev/accel/accel0 is missing" "docker run --device /dev/accel/accel0"
rm sys/usr/lib/x86_64-linux-gnu/libze_loader.so.1
fault "libze_loader.so.1 is not installed" "libze1"
rm sys/usr/lib/x86_64-linux-gnu/libze_intel_npu.so.1
fault "neither libze_intel_npu.so.1 nor" "linux-npu-driver"
rm sys/usr/lib/x86_64-linux-gnu/libnpu_driver_compiler.so
fault "libnpu_driver_compiler.so is not installed" "compiler package"
rm sys/usr/lib/x86_64-linux-gnu/libze_loader.so.1
ln -s libze_loader.so.1.8.0 sys/usr/lib/x86_64-linux-gnu/libze_loader.so.1
put /usr/lib/x86_64-linux-gnu/libze_loader.so.1.8.0 x
fault "asks for libze_intel_vpu.so.1 only" "ZE_ENABLE_ALT_DRIVERS=libze_intel_npu.so.1"
# Who may do everything is not stopped by permissions.
if [ "$(id -u)" != 0 ]; then
	chmod 000 sys/dev/accel/accel0
	fault "may not be used by this user" "usermod"
fi

# No NPU is no fault.
rm sys/sys/bus/pci/devices/0000:00:0b.0
expect_exit 0 "$TARN" doctor --root sys --strict
expect_stdout_contains "no Intel NPU on the PCI bus"
expect_exit 4 "$TARN" top --root sys
expect_stderr_contains "tarn doctor"
expect_stderr_lines 1
expect_exit 3 "$TARN" doctor --root no-such-folder

# An asleep NPU is well; without the counter top says so instead of 0 %.
healthy
put $device/power/runtime_status suspended
put $device/npu_current_frequency_mhz 0
expect_exit 0 "$TARN" doctor --root sys --strict
expect_stdout_contains "asleep, as it should be without work"
rm sys$device/npu_busy_time_us
expect_exit 0 "$TARN" doctor --root sys
expect_stdout_contains "does not count how busy"
expect_exit 0 "$TARN" top --root sys --interval 0.1 --count 1
expect_stdout_contains "busy unknown"

# Utilization: the counter runs half as fast as the clock, so about half busy; wide limits, since machines stall.
healthy
( i=0; while [ $i -lt 40 ]; do i=$((i + 1)); put $device/npu_busy_time_us.new $((1000000 + i * 50000)); mv sys$device/npu_busy_time_us.new sys$device/npu_busy_time_us; sleep 0.1; done ) &
writer=$!
expect_exit 0 "$TARN" top --root sys --interval 0.5 --count 1 --json
kill $writer 2>/dev/null
wait $writer 2>/dev/null
expect_json_number "samples[0].busy.value" ">" 0.05
expect_json_number "samples[0].busy.value" "<=" 1
expect_json "samples[0].busy.source" measured
expect_json_number "samples[0].memory.value" "==" 152
expect_json_number "samples[0].max_clock.value" "==" 1950
expect_json "samples[0].processes[0].name" camera
expect_json "samples[0].processes[0].pid" 4711
expect_exit 2 "$TARN" top --root sys --interval 0
expect_exit 2 "$TARN" top --root sys --count 0

# This machine, whatever it is.
expect_exit 0 "$TARN" doctor
expect_stdout_contains "device CPU"
expect_exit 0 "$TARN" doctor --json
expect_json_number faults ">=" 0
