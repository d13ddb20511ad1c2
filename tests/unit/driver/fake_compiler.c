/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compiler for tests of the Level Zero front: any IR becomes a program of one f32 input and one f32 output of n elements, n
 * from the first number in the xml ("n=16"), y = x + bias with the bias from the first float of the weights. "fail" in the xml
 * is refused, "slow" takes a modelled millisecond, otherwise a run takes 10 us and n ns more; half of it with turbo.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "driver/compile/compile.h"

struct tarn_npu_program {
	tarn_npu_arg arg[2];
	tarn_npu_layer_time layer[2][2];
	tarn_npu_task_time task[2];
	float bias;
	size_t n;
	uint64_t ns;
	bool profiled;
};

typedef struct fake_blob {
	char magic[8];
	uint64_t n, ns, profiled;
	float bias, pad;
} fake_blob;

static const char *find(const tarn_cc_ir *ir, const char *word)
{
	return memmem(ir->xml, ir->xml_size, word, strlen(word));
}

tarn_err tarn_cc_compile(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform, tarn_cc_blob *blob)
{
	const char *n = find(ir, "n=");
	CHECK(!find(ir, "fail"), TARN_UNSUPPORTED, "operator 'Fail' of node 'f' is not supported on %d", platform);
	CHECK(n, TARN_BAD_FILE, "no n= in the model");
	fake_blob *b = tarn_mem_zalloc(1, sizeof *b);
	if (!b)
		return tarn_err_nomem(sizeof *b);
	memcpy(b->magic, "FAKEBLOB", 8);
	b->n = strtoull(n + 2, NULL, 10);
	b->ns = find(ir, "slow") ? 1000000 : 10000 + b->n;
	b->profiled = flags->profiling;
	if (ir->bin_size >= sizeof b->bias)
		memcpy(&b->bias, ir->bin, sizeof b->bias);
	*blob = (tarn_cc_blob){(uint8_t *)b, sizeof *b};
	return TARN_OK;
}

tarn_err tarn_cc_query(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform, tarn_str *names)
{
	(void)flags, (void)platform;
	tarn_str_add(names, find(ir, "fail") ? "<x>" : "<x><add>");
	return TARN_OK;
}

tarn_err tarn_cc_estimate(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform, ze_tarn_graph_estimate_t *graph,
			  ze_tarn_layer_estimate_t **layers, uint32_t *n)
{
	(void)ir, (void)flags, (void)platform;
	ze_tarn_layer_estimate_t *l = tarn_mem_zalloc(2, sizeof *l);
	if (!l)
		return tarn_err_nomem(2 * sizeof *l);
	l[0].total_ns = 7;
	l[1].total_ns = 5;
	graph->total_ns = 12;
	*layers = l;
	*n = 2;
	return TARN_OK;
}

tarn_err tarn_blob_load(const uint8_t *bytes, size_t size, int platform, tarn_npu_program **program)
{
	static const char *const in_names[] = {"tensor_x", "alias_x"};
	(void)platform;
	fake_blob b;
	CHECK(size == sizeof b && !memcmp(bytes, "FAKEBLOB", 8), TARN_BAD_FILE, "not a blob of this driver");
	memcpy(&b, bytes, sizeof b);
	tarn_npu_program *p = tarn_mem_zalloc(1, sizeof *p);
	if (!p)
		return tarn_err_nomem(sizeof *p);
	p->n = b.n;
	p->ns = b.ns;
	p->bias = b.bias;
	p->profiled = b.profiled;
	for (int i = 0; i < 2; i++) {
		p->arg[i] = (tarn_npu_arg){.name = i ? "add" : "x",
					   .friendly_name = i ? "add/result" : "x",
					   .tensor_name = in_names,
					   .n_tensor_names = i ? 0 : 2,
					   .output = i,
					   .precision = ZE_GRAPH_ARGUMENT_PRECISION_FP32,
					   .ir_precision = ZE_GRAPH_ARGUMENT_PRECISION_FP32,
					   .rank = 2,
					   .dims = {1, b.n},
					   .bytes = b.n * sizeof(float)};
		uint64_t ns = i ? b.ns / 2 : b.ns;
		p->layer[i][0] = (tarn_npu_layer_time){"x", "Parameter", true, 0, 0, 0, 0, 0};
		p->layer[i][1] = (tarn_npu_layer_time){"add", "Add", false, 100, ns - 100, ns - 200, 50, 60};
		p->task[i] = (tarn_npu_task_time){"add", "Add", ZE_TASK_EXECUTE_DPU, 100, ns - 100, 42, 1, 1};
	}
	*program = p;
	return TARN_OK;
}

void tarn_npu_program_free(tarn_npu_program *program)
{
	tarn_mem_free(program);
}

const tarn_npu_arg *tarn_npu_program_args(const tarn_npu_program *p, uint32_t *n)
{
	*n = 2;
	return p->arg;
}

bool tarn_npu_program_profiled(const tarn_npu_program *p)
{
	return p->profiled;
}

tarn_npu_times tarn_npu_program_times(const tarn_npu_program *p, bool turbo)
{
	return (tarn_npu_times){turbo ? p->ns / 2 : p->ns, p->layer[turbo], &p->task[turbo], 2, 1};
}

tarn_err tarn_npu_program_overflow(const tarn_npu_program *p, tarn_str *node)
{
	if (p->bias > 65504)
		tarn_str_add(node, "'add' (Add)");
	return tarn_str_done(node);
}

tarn_err tarn_exec_run(const tarn_npu_program *p, void *const *args, tarn_pool *pool)
{
	(void)pool;
	const float *x = args[0];
	float *y = args[1];
	for (size_t i = 0; i < p->n; i++)
		y[i] = x[i] + p->bias;
	return TARN_OK;
}
