/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/npu_files.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/probe.h"

enum { INTEL = 0x8086 };

/* PCI numbers of the NPUs Intel has shipped (its Linux driver's table). */
static const struct {
	int id;
	const char *generation;
} known[] = {
	{0x7d1d, "Meteor Lake (3720)"},  {0xad1d, "Arrow Lake (3720)"},   {0x643e, "Lunar Lake (4000)"},
	{0xb03e, "Panther Lake (5010)"}, {0xfd3e, "Wildcat Lake (5020)"},
};

static const char *generation_of(int64_t id)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].id == id)
			return known[i].generation;
	return NULL;
}

static bool number_of(const char *folder, const char *file, int64_t *v)
{
	char path[1536];
	snprintf(path, sizeof path, "%s/%s", folder, file);
	return tarn_probe_number(path, v);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* A PCI device is an NPU when its number is known, or when the NPU's kernel driver has taken it. */
static bool is_npu(tarn_npu_files *n)
{
	char path[1536], link[512];
	int64_t vendor;
	if (!number_of(n->folder, "vendor", &vendor) || vendor != INTEL || !number_of(n->folder, "device", &n->device_id))
		return false;
	snprintf(path, sizeof path, "%s/driver", n->folder);
	n->driver[0] = 0;
	if (tarn_probe_link(path, link, sizeof link))
		snprintf(n->driver, sizeof n->driver, "%.31s", last_part(link));
	n->generation = generation_of(n->device_id);
	return n->generation || !strcmp(n->driver, "intel_vpu");
}

/* The driver names its node below the device: .../accel/accel0. */
static void find_node(tarn_npu_files *n)
{
	char path[1536], **name = NULL;
	size_t count = 0;
	n->node[0] = 0;
	snprintf(path, sizeof path, "%s/accel", n->folder);
	if (tarn_file_list(path, &name, &count))
		return;
	for (size_t i = 0; i < count && !*n->node; i++)
		if (!strncmp(name[i], "accel", 5))
			snprintf(n->node, sizeof n->node, "/dev/accel/%.40s", name[i]);
	tarn_mem_free(name);
}

bool tarn_npu_files_find(const char *root, int i, tarn_npu_files *npu)
{
	char bus[1152], **name = NULL;
	size_t count = 0;
	bool found = false;
	snprintf(bus, sizeof bus, "%.1023s/sys/bus/pci/devices", root);
	if (tarn_file_list(bus, &name, &count))
		return false;
	for (size_t k = 0; k < count && !found; k++) {
		memset(npu, 0, sizeof *npu);
		snprintf(npu->root, sizeof npu->root, "%.1023s", root);
		snprintf(npu->address, sizeof npu->address, "%.31s", name[k]);
		snprintf(npu->folder, sizeof npu->folder, "%s/%s", bus, npu->address);
		found = is_npu(npu) && i-- == 0;
	}
	tarn_mem_free(name);
	if (found)
		find_node(npu);
	return found;
}

void tarn_npu_files_read(const tarn_npu_files *npu, tarn_npu_reading *r)
{
	char path[1536];
	*r = (tarn_npu_reading){.busy_us = -1, .memory_bytes = -1, .mhz = -1, .max_mhz = -1};
	/* The clock beside the counter: between them goes only the reading of one small file. */
	(void)!number_of(npu->folder, "npu_busy_time_us", &r->busy_us);
	r->t_ns = tarn_clock_ns();
	(void)!number_of(npu->folder, "npu_memory_utilization", &r->memory_bytes);
	(void)!number_of(npu->folder, "npu_current_frequency_mhz", &r->mhz);
	(void)!number_of(npu->folder, "npu_max_frequency_mhz", &r->max_mhz);
	snprintf(path, sizeof path, "%s/power/runtime_status", npu->folder);
	(void)!tarn_probe_line(path, r->power, sizeof r->power);
}

double tarn_npu_files_busy(const tarn_npu_reading *from, const tarn_npu_reading *to)
{
	int64_t wall_ns = to->t_ns - from->t_ns, busy_us = to->busy_us - from->busy_us;
	if (from->busy_us < 0 || to->busy_us < 0 || wall_ns <= 0 || busy_us < 0)
		return NAN;
	/* The two clocks are read one after the other: a busy device may seem to be busy for longer than that was. */
	double share = (double)busy_us * 1e3 / (double)wall_ns;
	return share < 1 ? share : 1;
}

/* ---- who has it open ---- */

static bool has_open(const char *fds, const char *node)
{
	char path[1536], link[512], **name = NULL;
	size_t count = 0;
	bool yes = false;
	if (tarn_file_list(fds, &name, &count))
		return false;
	for (size_t i = 0; i < count && !yes; i++) {
		snprintf(path, sizeof path, "%s/%s", fds, name[i]);
		yes = tarn_probe_link(path, link, sizeof link) && !strcmp(link, node);
	}
	tarn_mem_free(name);
	return yes;
}

int tarn_npu_files_users(const tarn_npu_files *npu, tarn_npu_user *at, int max, int *hidden)
{
	char proc[1152], path[1280], **name = NULL;
	size_t count = 0;
	int n = 0;
	*hidden = 0;
	snprintf(proc, sizeof proc, "%s/proc", npu->root);
	if (!*npu->node || tarn_file_list(proc, &name, &count))
		return 0;
	for (size_t i = 0; i < count && n < max; i++) {
		if (!isdigit((unsigned char)name[i][0]))
			continue;
		snprintf(path, sizeof path, "%s/%.16s/fd", proc, name[i]);
		if (!tarn_probe_may_list(path)) {
			++*hidden;
			continue;
		}
		if (!has_open(path, npu->node))
			continue;
		at[n].pid = atoi(name[i]);
		snprintf(path, sizeof path, "%s/%.16s/comm", proc, name[i]);
		if (!tarn_probe_line(path, at[n].name, sizeof at[n].name))
			snprintf(at[n].name, sizeof at[n].name, "?");
		n++;
	}
	tarn_mem_free(name);
	return n;
}
