/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/system.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "api/handles.h"
#include "base/mem.h"
#include "diag/doctor.h"
#include "diag/npu_files.h"

static tarn_err take(const tarn_finding *f, tarn_system_finding *out)
{
	static const char *const words[] = {
		[TARN_FINDING_GOOD] = "good",
		[TARN_FINDING_NOTE] = "note",
		[TARN_FINDING_FAULT] = "fault",
		[TARN_FINDING_ABSENT] = "absent",
	};
	out->area = f->area;
	out->state = words[f->state];
	TRY(tarn_text_out(f->fact, &out->fact));
	return f->fix ? tarn_text_out(f->fix, &out->fix) : TARN_OK;
}

static tarn_err inspect(const char *root, tarn_system_report *out)
{
	tarn_findings f = {0};
	tarn_system_report r = {NULL, 0};
	tarn_err err = tarn_doctor_look(root, &f);
	if (!err && !(r.at = tarn_mem_zalloc(f.list.len + 1, sizeof *r.at)))
		err = tarn_err_nomem(f.list.len * sizeof *r.at);
	for (size_t i = 0; i < f.list.len && !err; i++)
		err = take(&f.list.at[i], &r.at[r.size++]);
	tarn_findings_fini(&f);
	if (err)
		tarn_free_system_report(&r);
	else
		*out = r;
	return err;
}

ov_status_e tarn_inspect_system(const char *root, tarn_system_report *report)
{
	NEED(root && report);
	return tarn_status(inspect(root, report));
}

void tarn_free_system_report(tarn_system_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->size; i++) {
		tarn_mem_free(report->at[i].fact);
		tarn_mem_free(report->at[i].fix);
	}
	tarn_mem_free(report->at);
	*report = (tarn_system_report){NULL, 0};
}

static tarn_err find_npu(const char *root, size_t index, tarn_npu_files *npu)
{
	CHECK(index <= INT_MAX && tarn_npu_files_find(root, (int)index, npu), TARN_NOT_FOUND,
	      "there is no Intel NPU %zu on the PCI bus; `tarn doctor` says what is there", index);
	return TARN_OK;
}

static tarn_err read_counters(const char *root, size_t index, tarn_npu_counters *c)
{
	tarn_npu_files npu;
	tarn_npu_reading r;
	TRY(find_npu(root, index, &npu));
	tarn_npu_files_read(&npu, &r);
	*c = (tarn_npu_counters){
		.time_ns = r.t_ns,
		.busy_us = r.busy_us,
		.memory_bytes = r.memory_bytes,
		.clock_mhz = r.mhz,
		.max_clock_mhz = r.max_mhz,
	};
	snprintf(c->address, sizeof c->address, "%s", npu.address);
	snprintf(c->generation, sizeof c->generation, "%s", npu.generation ? npu.generation : "");
	snprintf(c->power, sizeof c->power, "%s", r.power);
	return TARN_OK;
}

ov_status_e tarn_read_npu_counters(const char *root, size_t index, tarn_npu_counters *counters)
{
	NEED(root && counters);
	return tarn_status(read_counters(root, index, counters));
}

double tarn_npu_busy_share(const tarn_npu_counters *from, const tarn_npu_counters *to)
{
	if (!from || !to)
		return NAN;
	const tarn_npu_reading a = {.t_ns = from->time_ns, .busy_us = from->busy_us};
	const tarn_npu_reading b = {.t_ns = to->time_ns, .busy_us = to->busy_us};
	return tarn_npu_files_busy(&a, &b);
}

static tarn_err list_processes(const char *root, size_t index, tarn_npu_process *at, size_t *size, int *hidden)
{
	enum { MAX = 64 };
	tarn_npu_files npu;
	tarn_npu_user user[MAX];
	TRY(find_npu(root, index, &npu));
	int n = tarn_npu_files_users(&npu, user, *size < MAX ? (int)*size : MAX, hidden);
	for (int i = 0; i < n; i++) {
		at[i].pid = user[i].pid;
		snprintf(at[i].name, sizeof at[i].name, "%s", user[i].name);
	}
	*size = (size_t)n;
	return TARN_OK;
}

ov_status_e tarn_list_npu_processes(const char *root, size_t index, tarn_npu_process *at, size_t *size, int *hidden)
{
	NEED(root && at && size && hidden);
	return tarn_status(list_processes(root, index, at, size, hidden));
}
