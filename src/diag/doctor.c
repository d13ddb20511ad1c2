/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/probe.h"
#include "base/str.h"
#include "diag/npu_files.h"

typedef struct doctor {
	const char *root; /* "" on this machine */
	tarn_findings *f;
	tarn_npu_files npu;
	bool has_npu;
	bool in_container, in_wsl;
} doctor;

#define GOOD(d, area, ...) add_finding((d)->f, area, TARN_FINDING_GOOD, NULL, __VA_ARGS__)
#define NOTE(d, area, fix, ...) add_finding((d)->f, area, TARN_FINDING_NOTE, fix, __VA_ARGS__)
#define FAULT(d, area, fix, ...) add_finding((d)->f, area, TARN_FINDING_FAULT, fix, __VA_ARGS__)
#define ABSENT(d, area, fix, ...) add_finding((d)->f, area, TARN_FINDING_ABSENT, fix, __VA_ARGS__)

void tarn_findings_fini(tarn_findings *f)
{
	VEC_FINI(&f->list);
	tarn_arena_fini(&f->arena);
}

static void add_finding(tarn_findings *f, const char *area, tarn_finding_state state, const char *fix, const char *fmt, ...)
{
	char fact[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(fact, sizeof fact, fmt, ap);
	va_end(ap);
	tarn_finding x = {area, state, tarn_arena_strdup(&f->arena, fact), fix ? tarn_arena_strdup(&f->arena, fix) : NULL};
	if (!x.fact || (fix && !x.fix) || VEC_GROW(&f->list))
		f->failed = true;
	else
		f->list.at[f->list.len++] = x;
}

/* ---- paths ---- */

typedef struct path {
	char at[1536];
} path;

static path below(const doctor *d, const char *name)
{
	path p;
	snprintf(p.at, sizeof p.at, "%s%s", d->root, name);
	return p;
}

static bool exists(const doctor *d, const char *name)
{
	return tarn_probe_exists(below(d, name).at);
}

static bool line(const doctor *d, const char *name, char *out, size_t size)
{
	return tarn_probe_line(below(d, name).at, out, size);
}

/* ---- the machine ---- */

static void look_processor(doctor *d)
{
	char model[128] = "";
	if (tarn_probe_key(below(d, "/proc/cpuinfo").at, "model name", model, sizeof model) && *model)
		GOOD(d, "processor", "%s", model);
	else
		NOTE(d, "processor", NULL, "its name is not known: there is no /proc/cpuinfo that says it");
}

static void look_system(doctor *d)
{
	char name[128] = "Linux";
	(void)!tarn_probe_key(below(d, "/etc/os-release").at, "PRETTY_NAME", name, sizeof name);
	d->in_container = exists(d, "/.dockerenv") || exists(d, "/run/.containerenv");
	if (d->in_container)
		NOTE(d, "system", NULL, "%s, in a container: it sees the devices it was given", name);
	else
		GOOD(d, "system", "%s", name);
}

/* Where each thing appeared in the kernel: the driver intel_vpu in 6.3, its busy counter in 6.10 or so. */
static void look_kernel(doctor *d)
{
	char release[128];
	int major = 0, minor = 0;
	if (!line(d, "/proc/sys/kernel/osrelease", release, sizeof release) || sscanf(release, "%d.%d", &major, &minor) != 2) {
		NOTE(d, "kernel", NULL, "its version is not known");
		return;
	}
	d->in_wsl = strstr(release, "icrosoft");
	int version = major * 1000 + minor;
	if (d->in_wsl)
		FAULT(d, "kernel", "run on Windows or Linux itself", "%s: WSL, which has no NPU", release);
	else if (version < 6003)
		FAULT(d, "kernel", "use kernel 6.3 or newer (Debian 12: bookworm-backports)",
		      "%s has no driver for Intel's NPU", release);
	else if (version < 6010)
		NOTE(d, "kernel", "use kernel 6.10 or newer to see how busy the NPU is",
		     "%s drives the NPU; its counters came later", release);
	else
		GOOD(d, "kernel", "%s", release);
}

/* ---- the device ---- */

static void look_device(doctor *d)
{
	d->has_npu = tarn_npu_files_find(d->root, 0, &d->npu);
	if (d->has_npu)
		GOOD(d, "device", "%s at %s (8086:%04x)",
		     d->npu.generation ? d->npu.generation : "an Intel NPU of a generation newer than this program",
		     d->npu.address, (unsigned)d->npu.device_id);
	else if (!exists(d, "/sys/bus/pci/devices"))
		ABSENT(d, "device", "use --sim 4000 for modelled figures", "no PCI bus is visible here");
	else
		ABSENT(d, "device",
		       "use --sim 4000 for modelled figures; in a virtual machine the NPU must be passed through; some BIOSes "
		       "can switch it off",
		       "no Intel NPU on the PCI bus");
}

static void look_driver(doctor *d)
{
	char version[64] = "";
	if (!d->has_npu)
		return;
	if (!*d->npu.driver)
		FAULT(d, "kernel driver",
		      exists(d, "/sys/module/intel_vpu") ? "sudo dmesg | grep intel_vpu" : "sudo modprobe intel_vpu",
		      exists(d, "/sys/module/intel_vpu") ? "intel_vpu is loaded, but gave the NPU up"
							 : "no kernel driver has taken the NPU");
	else if (strcmp(d->npu.driver, "intel_vpu") != 0)
		FAULT(d, "kernel driver", "unbind it, then sudo modprobe intel_vpu", "%s has taken the NPU, not intel_vpu",
		      d->npu.driver);
	else if (line(d, "/sys/module/intel_vpu/version", version, sizeof version) && *version)
		GOOD(d, "kernel driver", "intel_vpu %s", version);
	else
		GOOD(d, "kernel driver", "intel_vpu");
}

static void look_firmware(doctor *d)
{
	char file[256], version[128];
	if (!d->has_npu)
		return;
	snprintf(file, sizeof file, "/sys/kernel/debug/accel/%s/fw_version", d->npu.address);
	if (line(d, file, version, sizeof version) && *version)
		GOOD(d, "firmware", "%s", version);
	else if (exists(d, "/lib/firmware/intel/vpu") || exists(d, "/usr/lib/firmware/intel/vpu"))
		GOOD(d, "firmware", "is installed; its version is root's to read");
	else
		FAULT(d, "firmware", "install firmware-intel-vpu, or the fw package of Intel's linux-npu-driver, then reboot",
		      "/lib/firmware/intel/vpu is missing");
}

/* Inside a container the fix is an option of the container. */
static void no_permission(doctor *d)
{
	char group[64] = "", fix[256];
	unsigned id = 0;
	(void)!tarn_probe_group(below(d, d->npu.node).at, &id, group, sizeof group);
	if (d->in_container)
		snprintf(fix, sizeof fix, "docker run --device %s --group-add %u ...", d->npu.node, id);
	else if (*group)
		snprintf(fix, sizeof fix, "sudo usermod -aG %s $USER, then log in again", group);
	else
		snprintf(fix, sizeof fix, "add the user to group %u, then log in again", id);
	FAULT(d, "permission", fix, "%s may not be used by this user; it is for group %s", d->npu.node,
	      *group ? group : "(without a name here)");
}

static void look_node(doctor *d)
{
	if (!d->has_npu || strcmp(d->npu.driver, "intel_vpu") != 0)
		return;
	if (!*d->npu.node)
		FAULT(d, "device node", "sudo dmesg | grep intel_vpu",
		      "the kernel driver made no node for the NPU: it did not start");
	else if (!exists(d, d->npu.node))
		FAULT(d, "device node",
		      d->in_container ? "docker run --device /dev/accel/accel0 ..." : "restart udev, or reboot",
		      "%s is missing, though the kernel has it", d->npu.node);
	else if (!tarn_probe_may_use(below(d, d->npu.node).at))
		no_permission(d);
	else
		GOOD(d, "permission", "%s may be used by this user", d->npu.node);
}

static void look_state(doctor *d)
{
	tarn_npu_reading r;
	if (!d->has_npu)
		return;
	tarn_npu_files_read(&d->npu, &r);
	if (r.max_mhz > 0 && !strcmp(r.power, "suspended"))
		GOOD(d, "state", "asleep, as it should be without work; up to %lld MHz", (long long)r.max_mhz);
	else if (r.max_mhz > 0)
		GOOD(d, "state", "%s, %lld of %lld MHz", *r.power ? r.power : "awake", (long long)(r.mhz < 0 ? 0 : r.mhz),
		     (long long)r.max_mhz);
	if (r.busy_us < 0)
		NOTE(d, "state", "use a newer kernel", "the kernel does not count how busy the NPU is; tarn top needs that");
}

/* ---- libraries ---- */

static const char *const folders[] = {"/usr/local/lib/x86_64-linux-gnu", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu",
				      "/lib/x86_64-linux-gnu",           "/usr/lib64",     "/usr/lib"};

/* The folder that has it, and the version from the name its link points to; false: nowhere. */
static bool find_library(const doctor *d, const char *name, path *where, char *version, size_t size)
{
	char link[512];
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(where->at, sizeof where->at, "%s%s/%s", d->root, folders[i], name);
		if (!tarn_probe_exists(where->at))
			continue;
		const char *so = tarn_probe_link(where->at, link, sizeof link) ? strstr(link, ".so.") : NULL;
		snprintf(version, size, "%s%s", so ? " " : "", so ? so + 4 : "");
		return true;
	}
	return false;
}

/* Debian 12's loader (1.8) asks for the driver's old name only; both names are known from 1.20 or so on. */
static bool loader_knows_new_name(const char *version)
{
	int major = 0, minor = 0;
	return sscanf(version, " %d.%d", &major, &minor) != 2 || major > 1 || minor >= 17;
}

static void look_libraries(doctor *d)
{
	path where;
	char loader[64] = "", driver[64] = "";
	bool has_loader = find_library(d, "libze_loader.so.1", &where, loader, sizeof loader);
	if (has_loader)
		GOOD(d, "loader", "libze_loader.so.1%s", loader);
	else if (d->has_npu)
		FAULT(d, "loader", "install libze1 (Debian) or level-zero", "libze_loader.so.1 is not installed");
	else
		ABSENT(d, "loader", NULL, "libze_loader.so.1 is not installed; without an NPU nothing needs it");
	bool new_name = find_library(d, "libze_intel_npu.so.1", &where, driver, sizeof driver);
	bool old_name = find_library(d, "libze_intel_vpu.so.1", &where, driver, sizeof driver);
	if (!new_name && !old_name) {
		if (d->has_npu)
			FAULT(d, "NPU library", "install Intel's linux-npu-driver: github.com/intel/linux-npu-driver/releases",
			      "neither libze_intel_npu.so.1 nor the older libze_intel_vpu.so.1 is installed");
		return;
	}
	if (new_name && !old_name && has_loader && !loader_knows_new_name(loader))
		FAULT(d, "NPU library", "export ZE_ENABLE_ALT_DRIVERS=libze_intel_npu.so.1, or install a newer loader",
		      "libze_intel_npu.so.1 is installed, but the loader%s asks for libze_intel_vpu.so.1 only", loader);
	else
		GOOD(d, "NPU library", "libze_intel_%s.so.1%s", new_name ? "npu" : "vpu", driver);
	if (find_library(d, "libnpu_driver_compiler.so", &where, driver, sizeof driver))
		GOOD(d, "compiler", "libnpu_driver_compiler.so");
	else
		FAULT(d, "compiler", "install the compiler package of Intel's linux-npu-driver",
		      "libnpu_driver_compiler.so is not installed: the driver can load compiled models only");
}

/* ---- settings of this process ---- */

static void look_environment(doctor *d)
{
	static const char *const names[] = {"TARN_NPU", "TARN_ISA", "ZE_ENABLE_ALT_DRIVERS", "ZE_INTEL_NPU_CACHE_SIZE"};
	const char *v;
	if (*d->root)
		return;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if ((v = getenv(names[i])) && *v)
			NOTE(d, "environment", NULL, "%s=%.200s", names[i], strchr(v, '/') ? "(a path)" : v);
	v = getenv("ZE_INTEL_NPU_CACHE_DIR");
	if (v && !*v)
		NOTE(d, "environment", "unset ZE_INTEL_NPU_CACHE_DIR",
		     "ZE_INTEL_NPU_CACHE_DIR is empty, which switches the driver's cache off: every load compiles");
	v = getenv("NPU_BYPASS_UMD_CACHING");
	if (v)
		NOTE(d, "environment", NULL,
		     "NPU_BYPASS_UMD_CACHING is a property of a model, not a variable; and YES switches the driver's cache "
		     "off");
}

static void look_power(doctor *d)
{
	char governor[64];
	int64_t online;
	if (tarn_probe_number(below(d, "/sys/class/power_supply/AC/online").at, &online) ||
	    tarn_probe_number(below(d, "/sys/class/power_supply/ADP1/online").at, &online) ||
	    tarn_probe_number(below(d, "/sys/class/power_supply/AC0/online").at, &online)) {
		if (online)
			GOOD(d, "power", "from the mains");
		else
			NOTE(d, "power", "plug it in before measuring", "on battery: clocks may be lower");
	}
	if (line(d, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor, sizeof governor) &&
	    !strcmp(governor, "powersave") && !exists(d, "/sys/devices/system/cpu/intel_pstate"))
		NOTE(d, "power", "sudo cpupower frequency-set -g performance, while measuring",
		     "the processor's governor is powersave");
}

tarn_err tarn_doctor_look(const char *root, tarn_findings *f)
{
	static void (*const looks[])(doctor *) = {look_processor,   look_system,   look_kernel, look_device,
						  look_driver,      look_firmware, look_node,   look_libraries,
						  look_environment, look_state,    look_power};
	CHECK(!*root || tarn_file_is_dir(root), TARN_BAD_FILE, "%s: no such folder", root);
	doctor d = {.root = root, .f = f};
	for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
		looks[i](&d);
	CHECK(!f->failed, TARN_NOMEM, "out of memory for what was found");
	return TARN_OK;
}
