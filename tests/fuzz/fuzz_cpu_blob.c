/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to a compiled model of the CPU, (u16 place, u8 value) each, behind the container whose checksum would find them.
 * Loading fails with a sentence, or gives a program that stays inside its memory. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/device.h"
#include "ops/ops.h"
#include "rt/program.h"
#include "rt/request.h"
#include "rt/stream.h"

static tarn_err add_node(tarn_graph *g, const char *op, tarn_value *a, tarn_value *b, tarn_value **out)
{
	tarn_node *n;
	TRY(tarn_node_new(g, tarn_op_find(NULL, op), NULL, b ? 2 : 1, 1, -1, &n));
	n->in[0] = a;
	if (b)
		n->in[1] = b;
	*out = n->out[0];
	return TARN_OK;
}

static tarn_err add_weights(tarn_graph *g, tarn_shape s, tarn_value **v)
{
	tarn_tensor t;
	TRY(tarn_tensor_new(TARN_F32, s.rank, s.dim, &t));
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		((float *)t.data)[i] = (float)(i % 7) - 3;
	tarn_err err = tarn_value_const(g, NULL, &t, v);
	tarn_tensor_fini(&t);
	return err;
}

/* x [n, 8, 3, 3] -> convolution -> relu -> flatten -> product whose weights only the packed form has. */
static tarn_err make_model(tarn_model **out)
{
	TRY(tarn_model_new(out));
	tarn_graph *g = (*out)->main;
	tarn_shape s = {.rank = 4, .dim = {0, 8, 3, 3}};
	tarn_value *x, *w, *y;
	TRY(tarn_symtab_named(&(*out)->syms, "n", &s.dim[0]));
	TRY(tarn_value_input(g, "x", TARN_F32, &s, &x));
	TRY(add_weights(g, (tarn_shape){.rank = 4, .dim = {16, 8, 3, 3}}, &w));
	TRY(add_node(g, "Conv", x, w, &y));
	TRY(add_node(g, "Relu", y, NULL, &y));
	TRY(add_node(g, "Flatten", y, NULL, &y));
	TRY(add_weights(g, (tarn_shape){.rank = 2, .dim = {16, 65}}, &w));
	TRY(add_node(g, "MatMul", y, w, &y));
	TRY(VEC_GROW(&g->output));
	g->output.at[g->output.len++] = y;
	return tarn_graph_infer(g);
}

static tarn_err make_payload(tarn_device *d, tarn_str *payload)
{
	tarn_model *m;
	tarn_program *p;
	TRY(make_model(&m));
	TRY(tarn_program_compile(d, m, NULL, &p));
	tarn_err err = d->api->export_(p, payload);
	tarn_program_unref(p);
	tarn_model_unref(m);
	return err;
}

static void try_request(tarn_program *p)
{
	tarn_request *r;
	if (tarn_request_new(p, &r) != TARN_OK)
		return;
	tarn_tensor_fini(&r->in[0]);
	if (tarn_tensor_new(TARN_F32, 4, (int64_t[]){2, 8, 3, 3}, &r->in[0]) == TARN_OK && tarn_request_begin(r) == TARN_OK &&
	    tarn_request_infer(r) != TARN_OK && !*tarn_err_text())
		abort();
	tarn_request_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static tarn_port in = {.name = "x", .type = TARN_F32, .rank = 4, .lo = {1, 8, 3, 3}, .hi = {TARN_DIM_MAX, 8, 3, 3}};
	static tarn_port result = {.name = "y", .type = TARN_F32, .rank = 2, .lo = {1, 65}, .hi = {TARN_DIM_MAX, 65}};
	static tarn_str payload;
	tarn_device d = {.api = &tarn_dev_cpu};
	tarn_buffer *b = NULL;
	tarn_program *p = NULL;
	tarn_mutex_init(&d.lock);
	if ((!payload.len && make_payload(&d, &payload) != TARN_OK) || tarn_buffer_new(payload.len, &b) != TARN_OK)
		abort();
	memcpy(b->at, payload.at, payload.len);
	for (size_t i = 0; i + 3 <= size; i += 3)
		((uint8_t *)b->at)[(data[i] | (size_t)data[i + 1] << 8) % b->size] = data[i + 2];
	if (tarn_program_new(&d, NULL, &p) != TARN_OK || tarn_model_new(&p->model) != TARN_OK)
		abort();
	p->in = &in;
	p->out = &result;
	p->n_in = p->n_out = 1;
	tarn_err err = d.api->import(p, b);
	if (!err)
		err = tarn_stream_new(p->n_stream, &p->stream);
	if (!err)
		try_request(p);
	else if (!*tarn_err_text() || size < 3)
		abort();
	tarn_program_unref(p);
	tarn_buffer_unref(b);
	tarn_device_close(&d);
	return 0;
}
