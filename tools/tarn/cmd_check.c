/* SPDX-License-Identifier: Apache-2.0 */
/* tarn check: an offline page about a model: shapes, work, memory, what runs where, predicted latency, what would help. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "input.h"
#include "page.h"
#include "tarn/device.h"
#include "tarn/model.h"
#include "tarn/profile.h"
#include "tarn/sim.h"

int cmd_check(const options *o);

static void port_close(check_port *p)
{
	ov_free(p->name);
	ov_partial_shape_free(&p->shape);
	for (int k = 0; k < 8; k++)
		ov_free(p->dim[k]);
}

static int read_port(const check *c, bool output, size_t i, check_port *p)
{
	ov_output_const_port_t *port = NULL;
	const ov_model_t *m = c->s.model;
	ov_status_e status = output ? ov_model_const_output_by_index(m, i, &port) : ov_model_const_input_by_index(m, i, &port);
	if (status == OK)
		status = ov_port_get_any_name(port, &p->name);
	if (status == OK)
		status = ov_port_get_element_type(port, &p->type);
	if (status == OK)
		status = ov_port_get_partial_shape(port, &p->shape);
	for (int k = 0; status == OK && k < 8 && p->shape.rank.min == p->shape.rank.max && k < p->shape.rank.max; k++)
		status = tarn_get_dim_name(port, (size_t)k, &p->dim[k]);
	ov_output_const_port_free(port);
	return status == OK ? 0 : fail_last("check");
}

static int read_ports(check *c)
{
	if (ov_model_inputs_size(c->s.model, &c->n_in) != OK || ov_model_outputs_size(c->s.model, &c->n_out) != OK)
		return fail_last("check");
	c->port = calloc(c->n_in + c->n_out + 1, sizeof *c->port);
	if (!c->port)
		return fail(1, "check", "out of memory");
	int code = 0;
	for (size_t i = 0; i < c->n_in + c->n_out && !code; i++)
		code = read_port(c, i >= c->n_in, i < c->n_in ? i : i - c->n_in, &c->port[i]);
	return code;
}

bool check_is_free(const check_port *p, int axis)
{
	return p->shape.dims[axis].min != p->shape.dims[axis].max || p->shape.dims[axis].max < 0;
}

/* The CPU says itself which nodes no kernel takes, when it compiles. */
static void ask_cpu(check *c)
{
	tarn_load_info info;
	ov_compiled_model_t *cm = NULL;
	if (ov_core_compile_model_props(c->s.core, c->s.model, "CPU", 0, NULL, &cm) != OK) {
		c->cpu_why = ov_get_last_err_msg();
		return;
	}
	c->cpu = true;
	if (tarn_get_load_info(cm, &info) == OK)
		c->note = calloc(info.notes + 1, sizeof *c->note);
	for (size_t i = 0; c->note && i < info.notes; i++)
		if (tarn_get_load_note(cm, i, &c->note[c->n_note]) == OK)
			c->n_note++;
	for (size_t i = 0; i < c->n_note; i++)
		c->reference += strstr(c->note[i], "reference code") != NULL;
	ov_compiled_model_free(cm);
}

/* Without an NPU the simulated one tells what its compiler takes and predicts: a tool here, never a device that anything runs
 * on. */
static int choose_npu(check *c, const options *o)
{
	const char *wanted = getenv("TARN_NPU");
	const char *platform = o->sim ? o->sim : "4000";
	if (!o->sim && ((wanted && *wanted) || !access("/dev/accel/accel0", F_OK)))
		return 0;
	c->simulated = platform;
	return tarn_use_simulated_npu(platform) == OK ? 0 : fail_last("check");
}

static void ask_npu(check *c)
{
	if (tarn_list_nodes(c->s.core, c->s.model, "NPU", &c->npu) != OK) {
		c->npu_why = ov_get_last_err_msg();
		return;
	}
	c->has_npu = true;
	int64_t all = 0, taken = 0;
	for (size_t i = 0; i < c->npu.size; i++) {
		const tarn_node_info *n = &c->npu.at[i];
		c->npu_supported += n->supported;
		all += n->macs > 0 ? n->macs : 0;
		taken += n->macs > 0 && n->supported ? n->macs : 0;
	}
	c->npu_share = all > 0 ? (double)taken / (double)all : NAN;
}

static void predict(check *c)
{
	static const char *const platforms[] = {"3720", "4000"};
	for (int i = 0; i < 2; i++) {
		check_estimate *e = &c->estimate[i];
		*e = (check_estimate){.platform = platforms[i]};
		const ov_property_t p = {"NPU_PLATFORM", platforms[i]};
		e->known = tarn_estimate_layers(c->s.core, c->s.model, "NPU", 1, &p, &e->e) == OK;
		if (!e->known)
			e->why = ov_get_last_err_msg();
	}
}

void check_help(check *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (c->n_help < CHECK_MAX_HELP)
		vsnprintf(c->help[c->n_help++], sizeof c->help[0], fmt, ap);
	va_end(ap);
}

static void int8_help(check *c)
{
	char most[96] = "";
	double bound = check_int8_bound(c);
	if (bound > 1)
		snprintf(most, sizeof most,
			 " (on the NPU at most %.2f times it: the fixed cost of an inference stays; modelled)", bound);
	check_help(c, "INT8 halves bytes and may double the rate%s: tarn quantize -m %.300s --data DATA -o model-int8.onnx",
		   most, c->s.o->model);
}

static void find_help(check *c)
{
	check_state_help(c);
	if (!c->states.window)
		check_dims_help(c);
	if (c->facts.macs > 0 && (double)c->facts.macs_int8 < 0.5 * (double)c->facts.macs)
		int8_help(c);
	for (size_t i = 0; i < c->npu.size && c->n_help < CHECK_MAX_HELP; i++)
		if (!c->npu.at[i].supported && !strstr(c->npu.at[i].why, "free dimension")) {
			check_help(c, "node '%.100s' keeps the model off the NPU: %.300s", c->npu.at[i].name, c->npu.at[i].why);
			break;
		}
}

/* Where batches are all that is free, one sample tells what the model is; the page says so. */
static int settle_batch(check *c)
{
	size_t *index = calloc(c->n_in + 1, sizeof *index), n = 0, len = 0;
	ov_partial_shape_t *shape = calloc(c->n_in + 1, sizeof *shape);
	bool only_batch = index && shape;
	for (size_t i = 0; i < c->n_in && only_batch; i++) {
		const check_port *p = &c->port[i];
		only_batch = p->shape.rank.min == p->shape.rank.max && p->shape.rank.max <= 8;
		for (int k = 1; only_batch && k < p->shape.rank.max; k++)
			only_batch = !check_is_free(p, k);
		if (!only_batch || !ov_partial_shape_is_dynamic(p->shape))
			continue;
		ov_dimension_t dims[8];
		memcpy(dims, p->shape.dims, (size_t)p->shape.rank.max * sizeof *dims);
		dims[0] = (ov_dimension_t){1, 1};
		only_batch = ov_partial_shape_create(p->shape.rank.max, dims, &shape[n]) == OK;
		index[n++] = i;
		len += (size_t)snprintf(c->at + len, sizeof c->at - len, "%s%.100s[1", len ? "," : "", p->name);
		for (int k = 1; k < p->shape.rank.max && len + 160 < sizeof c->at; k++)
			len += (size_t)snprintf(c->at + len, sizeof c->at - len, ",%lld", (long long)dims[k].max);
		len += (size_t)snprintf(c->at + len, sizeof c->at - len, "]");
		only_batch = only_batch && len + 160 < sizeof c->at;
	}
	int code = index && shape ? 0 : fail(1, "check", "out of memory");
	if (!code && only_batch && n && ov_model_reshape_by_port_indexes(c->s.model, index, shape, n) != OK)
		only_batch = false; /* the sizes in the file do not go with a batch of 1 */
	if (!only_batch)
		c->at[0] = 0;
	for (size_t i = 0; shape && i < n; i++)
		ov_partial_shape_free(&shape[i]);
	free(index);
	free(shape);
	return code;
}

static int look(check *c)
{
	int code = session_reshape(&c->s);
	if (!code)
		code = read_ports(c);
	if (!code)
		code = check_dims_find(c);
	if (!code)
		code = check_state_find(c);
	if (!code && !c->states.window)
		code = settle_batch(c);
	if (!code && tarn_freeze_model(c->s.model) != OK)
		code = fail_last("check");
	if (!code && tarn_get_model_facts(c->s.model, &c->facts) != OK)
		code = fail_last("check");
	if (code)
		return code;
	ask_cpu(c);
	ask_npu(c);
	predict(c);
	find_help(c);
	return 0;
}

static void check_close(check *c)
{
	for (size_t i = 0; c->port && i < c->n_in + c->n_out; i++)
		port_close(&c->port[i]);
	for (size_t i = 0; i < c->n_note; i++)
		ov_free(c->note[i]);
	for (int i = 0; i < 2; i++) {
		ov_free(c->estimate[i].why);
		tarn_free_estimated_layers(&c->estimate[i].e);
	}
	free(c->port);
	free(c->note);
	ov_free(c->cpu_why);
	ov_free(c->npu_why);
	tarn_free_nodes(&c->npu);
	tarn_release_free_dims(&c->dims);
	check_state_close(c);
	session_close(&c->s);
}

static int show(const check *c)
{
	json j = {.out = stdout};
	page p;
	if (c->s.o->json)
		check_json(c, &j);
	else
		check_print(c);
	if (!c->s.o->html)
		return 0;
	int code = page_begin("check", &p);
	if (code)
		return code;
	check_json(c, &p.j);
	return page_write("check", &p, "check", "tarn check", c->s.o->html);
}

int cmd_check(const options *o)
{
	check *c = calloc(1, sizeof *c);
	if (!c)
		return fail(1, "check", "out of memory");
	int code = choose_npu(c, o);
	if (!code)
		code = session_open(&c->s, "check", o);
	if (!code && c->s.is_blob)
		code = fail(2, "check", "%s is a compiled model; give the model it was made from", o->model);
	if (!code)
		code = look(c);
	if (!code)
		code = show(c);
	check_close(c);
	free(c);
	return code;
}
