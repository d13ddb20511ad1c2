/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "openvino/c/openvino.h"
#include "options.h"
#include "say.h"
#include "session.h"
#include "tarn/cache.h"
#include "tarn/device.h"
#include "tarn/system.h"
#include "tarn/version.h"

int cmd_doctor(const options *o);

typedef struct page {
	json *j; /* NULL: text */
	int faults;
	char fix[512];
} page;

/* One line each: what it is about, whether it is well, what was seen; below it what to do. */
static void show(page *p, const char *area, const char *state, const char *fact, const char *fix)
{
	static const struct {
		const char *state, *sign;
	} signs[] = {{"good", "ok"}, {"note", "note"}, {"fault", "FAULT"}, {"absent", "-"}};
	if (!strcmp(state, "fault") && !p->faults++)
		snprintf(p->fix, sizeof p->fix, "%s", fix ? fix : fact);
	if (p->j) {
		json_begin(p->j, NULL, '{');
		json_text(p->j, "area", area);
		json_text(p->j, "state", state);
		json_text(p->j, "fact", fact);
		json_text(p->j, "fix", fix);
		json_end(p->j, '}');
		return;
	}
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
		if (!strcmp(signs[i].state, state))
			printf("%-5s  %-14s %s\n", signs[i].sign, area, fact);
	if (fix)
		printf("       %-14s -> %s\n", "", fix);
}

static int show_system(page *p, const char *root)
{
	tarn_system_report r;
	if (tarn_inspect_system(root, &r) != OK)
		return fail_last("doctor");
	for (size_t i = 0; i < r.size; i++)
		show(p, r.at[i].area, r.at[i].state, r.at[i].fact, r.at[i].fix);
	tarn_free_system_report(&r);
	return 0;
}

/* What the devices say when they are really opened. *usable: there is an NPU, and it is hardware. */
static int show_devices(page *p, bool *usable)
{
	ov_core_t *core = NULL;
	tarn_device_list list;
	if (ov_core_create(&core) != OK || tarn_list_devices(core, &list) != OK) {
		ov_core_free(core);
		return fail_last("doctor");
	}
	for (size_t i = 0; i < list.size; i++) {
		const tarn_device_info *d = &list.at[i];
		char area[32];
		if (d->hidden)
			continue;
		snprintf(area, sizeof area, "device %s", d->name);
		if (d->full_name)
			show(p, area, d->simulated ? "note" : "good", d->full_name, NULL);
		else
			show(p, area, "absent", d->why ? d->why : "no reason given", NULL);
		*usable = *usable || (!strcmp(d->name, "NPU") && d->full_name && !d->simulated);
	}
	tarn_free_devices(&list);
	ov_core_free(core);
	return 0;
}

/* Folders are not named: they hold the user's name. */
static int show_cache(page *p)
{
	char *dir = NULL, fact[256];
	int64_t limit;
	tarn_cache_list list;
	if (tarn_get_driver_cache(&dir, &limit) != OK)
		return fail_last("doctor");
	if (!*dir) {
		show(p, "driver cache", "note", "off: every load of a model compiles it", "unset ZE_INTEL_NPU_CACHE_DIR");
	} else if (tarn_list_cache(TARN_CACHE_DRIVER, dir, &list) != OK) {
		show(p, "driver cache", "note", "its folder cannot be read", "tarn cache ls says which");
	} else {
		double mb = 0;
		int damaged = 0;
		for (size_t i = 0; i < list.size; i++) {
			mb += (double)list.at[i].bytes * 1e-6;
			damaged += list.at[i].damage != NULL;
		}
		snprintf(fact, sizeof fact, "%zu models of the simulated NPU, %.1f of %.0f MB, %d damaged", list.size, mb,
			 (double)limit * 1e-6, damaged);
		show(p, "driver cache", damaged ? "note" : "good", fact,
		     damaged ? "tarn cache gc removes what is damaged" : NULL);
		tarn_free_cache_list(&list);
	}
	ov_free(dir);
	return 0;
}

static void conclude(const page *p, bool here, bool usable)
{
	if (p->faults)
		printf("\n%d fault%s; first: %s\n", p->faults, p->faults == 1 ? "" : "s", p->fix);
	else if (usable)
		printf("\nthe NPU can be used: tarn bench -m MODEL -d NPU\n");
	else if (here)
		printf("\nnothing is broken; there is no NPU here. CPU: tarn bench -m MODEL; modelled NPU: tarn bench -m MODEL "
		       "-d NPU --sim 4000\n");
}

int cmd_doctor(const options *o)
{
	json j = {.out = stdout};
	page p = {.j = o->json || o->report ? &j : NULL};
	const char *root = o->root ? o->root : "";
	bool here = !*root, usable = false;
	int code = session_use_sim("doctor", o);
	if (code)
		return code;
	if (p.j) {
		json_begin(&j, NULL, '{');
		json_text(&j, "version", tarn_version());
		json_begin(&j, "findings", '[');
	} else {
		printf("Tarn %s\n", tarn_version());
	}
	code = show_system(&p, root);
	/* A copy of another system has no devices to open. */
	if (!code && here)
		code = show_devices(&p, &usable);
	if (!code && here)
		code = show_cache(&p);
	if (p.j) {
		json_end(&j, ']');
		json_int(&j, "faults", p.faults);
		json_bool(&j, "npu_usable", usable);
		json_end(&j, '}');
	} else if (!code) {
		conclude(&p, here, usable);
	}
	if (!code && o->strict && p.faults)
		code = fail(5, "doctor", "%d faults; %s", p.faults, p.fix);
	return code;
}
