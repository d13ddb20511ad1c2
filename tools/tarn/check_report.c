/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "input.h"

/* "[batch,3,?]" */
static void shape_of(const check_port *p, char *out, size_t size)
{
	if (p->shape.rank.min != p->shape.rank.max) {
		snprintf(out, size, "[...]");
		return;
	}
	size_t n = (size_t)snprintf(out, size, "[");
	for (int k = 0; k < p->shape.rank.max && k < 8 && n + 80 < size; k++)
		n += (size_t)snprintf(out + n, size - n, "%s%.60s", k ? "," : "", p->dim[k] ? p->dim[k] : "?");
	snprintf(out + n, size - n, "]");
}

static double int8_share(const check *c)
{
	return c->facts.macs > 0 && !c->facts.nodes_unknown ? (double)c->facts.macs_int8 / (double)c->facts.macs : NAN;
}

static void print_ports(const check *c)
{
	for (size_t i = 0; i < c->n_in + c->n_out; i++) {
		char shape[1024];
		shape_of(&c->port[i], shape, sizeof shape);
		printf("%s %s: %s %s\n", i < c->n_in ? "input " : "output", c->port[i].name, type_text(c->port[i].type), shape);
	}
}

static void print_work(const check *c)
{
	const tarn_model_facts *f = &c->facts;
	printf("work: %lld nodes, ", (long long)f->nodes);
	if (f->nodes_unknown)
		printf("multiply-accumulates unknown: %lld nodes have free dimensions; give -shape",
		       (long long)f->nodes_unknown);
	else
		printf("%.4g million multiply-accumulates", (double)f->macs * 1e-6);
	if (!f->nodes_unknown && f->macs > 0)
		printf(", %.1f %% of them in INT8", 100 * int8_share(c));
	printf("\nmemory: weights %.2f MB, intermediate results ", (double)f->weight_bytes * 1e-6);
	if (f->activation_bytes >= 0)
		printf("%.2f MB (planned)\n", (double)f->activation_bytes * 1e-6);
	else
		printf("unknown with free dimensions\n");
	if (f->products_compressed)
		printf("weights of 4 or 8 bits, activations float: %lld products; the CPU reads them as they are, the "
		       "simulated NPU's "
		       "compiler unpacks them to FP16\n",
		       (long long)f->products_compressed);
}

static void print_devices(const check *c)
{
	enum { SHOWN = 5 };
	size_t shown = 0;
	if (c->cpu)
		printf("CPU: runs; %zu of %lld nodes on reference code\n", c->reference, (long long)c->facts.nodes);
	else
		printf("CPU: does not run: %s\n", c->cpu_why ? c->cpu_why : "no reason given");
	for (size_t i = 0; i < c->n_note && i < SHOWN; i++)
		printf("  %s\n", c->note[i]);
	if (c->n_note > SHOWN)
		printf("  and %zu more; --json lists them\n", c->n_note - SHOWN);
	if (!c->has_npu) {
		printf("NPU: unknown: %s\n", c->npu_why ? c->npu_why : "no reason given");
		return;
	}
	printf("NPU%s%s%s: takes %zu of %zu nodes", c->simulated ? " (says the compiler of the simulated " : "",
	       c->simulated ? c->simulated : "", c->simulated ? ")" : "", c->npu_supported, c->npu.size);
	if (isfinite(c->npu_share))
		printf(", %.1f %% of multiply-accumulates", 100 * c->npu_share);
	printf("\n");
	for (size_t i = 0; i < c->npu.size && shown < SHOWN; i++)
		if (!c->npu.at[i].supported) {
			printf("  not '%s' (%s): %s\n", c->npu.at[i].name, c->npu.at[i].type, c->npu.at[i].why);
			shown++;
		}
	if (c->npu.size - c->npu_supported > shown)
		printf("  and %zu more; --json lists them\n", c->npu.size - c->npu_supported - shown);
}

void check_print(const check *c)
{
	printf("%s: read in %.1f ms (measured)\n", c->s.o->model, c->s.read_ms);
	print_ports(c);
	check_dims_print(c);
	check_state_print(c);
	if (*c->at)
		printf("looked at with -shape '%s'\n", c->at);
	print_work(c);
	print_devices(c);
	check_predict_print(c);
	for (int i = 0; i < c->n_help; i++)
		printf("helps: %s\n", c->help[i]);
}

static void json_ports(const check *c, json *j, bool output)
{
	json_begin(j, output ? "outputs" : "inputs", '[');
	for (size_t i = output ? c->n_in : 0; i < c->n_in + (output ? c->n_out : 0); i++) {
		const check_port *p = &c->port[i];
		char shape[1024];
		shape_of(p, shape, sizeof shape);
		json_begin(j, NULL, '{');
		json_text(j, "name", p->name);
		json_text(j, "type", type_text(p->type));
		json_text(j, "shape", shape);
		json_begin(j, "free", '[');
		for (int k = 0; p->shape.rank.min == p->shape.rank.max && k < p->shape.rank.max && k < 8; k++)
			if (check_is_free(p, k)) {
				json_begin(j, NULL, '{');
				json_int(j, "axis", k);
				json_text(j, "name", p->dim[k]);
				json_end(j, '}');
			}
		json_end(j, ']');
		json_end(j, '}');
	}
	json_end(j, ']');
}

static void json_devices(const check *c, json *j)
{
	json_begin(j, "cpu", '{');
	json_bool(j, "runs", c->cpu);
	json_text(j, "why", c->cpu_why);
	json_int(j, "nodes_reference", (long long)c->reference);
	json_begin(j, "notes", '[');
	for (size_t i = 0; i < c->n_note; i++)
		json_text(j, NULL, c->note[i]);
	json_end(j, ']');
	json_end(j, '}');
	json_begin(j, "npu", '{');
	json_bool(j, "known", c->has_npu);
	json_text(j, "simulated", c->simulated);
	json_text(j, "why", c->npu_why);
	json_int(j, "nodes", (long long)c->npu.size);
	json_int(j, "nodes_supported", (long long)c->npu_supported);
	json_num(j, "mac_share", c->has_npu ? c->npu_share : NAN);
	json_begin(j, "unsupported", '[');
	for (size_t i = 0; i < c->npu.size; i++)
		if (!c->npu.at[i].supported) {
			json_begin(j, NULL, '{');
			json_text(j, "node", c->npu.at[i].name);
			json_text(j, "type", c->npu.at[i].type);
			json_text(j, "why", c->npu.at[i].why);
			json_end(j, '}');
		}
	json_end(j, ']');
	json_end(j, '}');
}

void check_json(const check *c, json *j)
{
	const tarn_model_facts *f = &c->facts;
	json_begin(j, NULL, '{');
	json_text(j, "model", c->s.o->model);
	json_figure(j, "read_ms", c->s.read_ms, "ms", "measured", -1);
	json_ports(c, j, false);
	json_ports(c, j, true);
	bool is_static = true;
	for (size_t i = 0; i < c->n_in; i++)
		is_static = is_static && !ov_partial_shape_is_dynamic(c->port[i].shape);
	json_bool(j, "static", is_static);
	check_dims_json(c, j);
	check_state_json(c, j);
	json_text(j, "looked_at_shape", *c->at ? c->at : NULL);
	json_int(j, "nodes", f->nodes);
	json_int(j, "nodes_unknown", f->nodes_unknown);
	if (f->nodes_unknown)
		json_null(j, "macs");
	else
		json_int(j, "macs", f->macs);
	json_num(j, "mac_share_int8", int8_share(c));
	json_int(j, "products_compressed", f->products_compressed);
	json_int(j, "weight_bytes", f->weight_bytes);
	if (f->activation_bytes >= 0)
		json_int(j, "activation_bytes", f->activation_bytes);
	else
		json_null(j, "activation_bytes");
	json_devices(c, j);
	check_predict_json(c, j);
	json_begin(j, "helps", '[');
	for (int i = 0; i < c->n_help; i++)
		json_text(j, NULL, c->help[i]);
	json_end(j, ']');
	json_end(j, '}');
}
