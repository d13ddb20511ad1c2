/* SPDX-License-Identifier: Apache-2.0 */
/* From a model to what the driver's compiler reads: OpenVINO IR in one buffer, and a line of build flags. */
#include <string.h>

#include "dev/npu/npu.h"
#include "fmt/ovir/ovir.h"
#include "ir/op.h"
#include "pass/pass.h"

/* ---- what is refused before any work ---- */

/* "x[1,3,224,224]", sizes of 1 where the model leaves them free and has no least one. */
static void put_ready_shape(const tarn_port *p, tarn_str *s)
{
	tarn_str_addf(s, "%s[", p->name);
	for (int i = 0; i < p->rank; i++)
		tarn_str_addf(s, "%s%lld", i ? "," : "", (long long)(p->lo[i] > 0 ? p->lo[i] : 1));
	tarn_str_add(s, "]");
}

static tarn_err refuse_free(const tarn_program *p, const tarn_port *port)
{
	int axis = 0;
	tarn_str ready = {0};
	CHECK(port->rank >= 0, TARN_SHAPE,
	      "input '%s' has no known number of dimensions, the NPU takes fixed sizes; give -shape", port->name);
	while (port->lo[axis] == port->hi[axis])
		axis++;
	/* One line for all inputs that need it. */
	for (int i = 0; i < p->n_in; i++)
		if (p->in[i].rank >= 0 && !tarn_port_is_static(&p->in[i])) {
			tarn_str_add(&ready, ready.len ? "," : "");
			put_ready_shape(&p->in[i], &ready);
		}
	tarn_err err = tarn_str_done(&ready);
	if (!err)
		err = tarn_err_set(
			TARN_SHAPE,
			"input '%s' has a free dimension, axis %d, the NPU takes fixed sizes; give them, as in -shape '%s', "
			"or bounds, as in 1..128",
			port->name, axis, ready.at);
	tarn_str_fini(&ready);
	return err;
}

static tarn_err check_port(const tarn_port *p, const char *kind)
{
	CHECK(p->rank <= ZE_MAX_GRAPH_ARGUMENT_DIMENSIONS_SIZE, TARN_SHAPE,
	      "%s '%s' has %d dimensions, the NPU takes at most %d; join some of them", kind, p->name, p->rank,
	      ZE_MAX_GRAPH_ARGUMENT_DIMENSIONS_SIZE);
	CHECK(tarn_npu_precision(p->type), TARN_TYPE, "%s '%s' is %s, which the NPU does not take; convert it", kind, p->name,
	      tarn_dtype_info(p->type)->word);
	return TARN_OK;
}

tarn_err tarn_npu_check_inputs(const tarn_program *p)
{
	for (int i = 0; i < p->n_in; i++)
		if (!tarn_port_is_static(&p->in[i]))
			return refuse_free(p, &p->in[i]);
	for (int i = 0; i < p->n_in; i++)
		TRY(check_port(&p->in[i], "input"));
	return TARN_OK;
}

/* After folding: what is left must have sizes that do not depend on data. */
static tarn_err check_nodes(const tarn_model *m)
{
	const tarn_graph *g = m->main;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_out; k++)
			CHECK(!n->out[k] || tarn_shape_is_static(&n->out[k]->shape), TARN_UNSUPPORTED,
			      "the sizes of what node '%s' (%s) makes depend on data; the NPU takes fixed sizes, use -d CPU",
			      n->name, n->op->name);
	}
	return TARN_OK;
}

/* ---- the buffer: versions, count, xml, weights ---- */

static void put_u64(tarn_str *s, uint64_t v)
{
	tarn_str_add_n(s, (const char *)&v, sizeof v); /* the layout is that of the processors NPUs come with */
}

tarn_err tarn_npu_model_bytes(const npu_device *d, const tarn_model *m, tarn_str *bytes)
{
	tarn_str xml = {0}, bin = {0};
	const uint16_t version[2] = {d->compiler.compilerVersion.major, d->compiler.compilerVersion.minor};
	const uint32_t count = 2;
	TRY(check_nodes(m));
	tarn_err err;
	TRY_GOTO(done, tarn_ovir_write_memory(m, &xml, &bin));
	TRY_GOTO(done, tarn_str_done(&xml));
	TRY_GOTO(done, tarn_str_done(&bin));
	tarn_str_add_n(bytes, (const char *)version, sizeof version);
	tarn_str_add_n(bytes, (const char *)&count, sizeof count);
	put_u64(bytes, xml.len);
	tarn_str_add_n(bytes, xml.at, xml.len);
	put_u64(bytes, bin.len);
	if (bin.len)
		tarn_str_add_n(bytes, bin.at, bin.len);
	err = tarn_str_done(bytes);
done:
	tarn_str_fini(&xml);
	tarn_str_fini(&bin);
	return err;
}

/* ---- build flags ---- */

static const struct {
	tarn_dtype type;
	ze_graph_argument_precision_t precision;
} precisions[] = {
	{TARN_F32, ZE_GRAPH_ARGUMENT_PRECISION_FP32},     {TARN_F16, ZE_GRAPH_ARGUMENT_PRECISION_FP16},
	{TARN_BF16, ZE_GRAPH_ARGUMENT_PRECISION_BF16},    {TARN_F64, ZE_GRAPH_ARGUMENT_PRECISION_FP64},
	{TARN_I8, ZE_GRAPH_ARGUMENT_PRECISION_INT8},      {TARN_I16, ZE_GRAPH_ARGUMENT_PRECISION_INT16},
	{TARN_I32, ZE_GRAPH_ARGUMENT_PRECISION_INT32},    {TARN_I64, ZE_GRAPH_ARGUMENT_PRECISION_INT64},
	{TARN_U8, ZE_GRAPH_ARGUMENT_PRECISION_UINT8},     {TARN_U16, ZE_GRAPH_ARGUMENT_PRECISION_UINT16},
	{TARN_U32, ZE_GRAPH_ARGUMENT_PRECISION_UINT32},   {TARN_U64, ZE_GRAPH_ARGUMENT_PRECISION_UINT64},
	{TARN_BOOL, ZE_GRAPH_ARGUMENT_PRECISION_BOOLEAN},
};

ze_graph_argument_precision_t tarn_npu_precision(tarn_dtype type)
{
	for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
		if (precisions[i].type == type)
			return precisions[i].precision;
	return ZE_GRAPH_ARGUMENT_PRECISION_UNKNOWN;
}

static const char *layout(int rank)
{
	static const char *const by_rank[] = {"SCALAR", "C", "NC", "CHW", "NCHW", "NCDHW"};
	return rank >= 0 && rank < 6 ? by_rank[rank] : "BLOCKED";
}

static void put_ports(tarn_str *s, const char *kind, const tarn_port *port, int n)
{
	tarn_str_addf(s, "--%s_precisions=\"", kind);
	for (int i = 0; i < n; i++)
		tarn_str_addf(s, "%s%d:%s", i ? " " : "", i, tarn_dtype_info(port[i].type)->port);
	tarn_str_addf(s, "\" --%s_layouts=\"", kind);
	for (int i = 0; i < n; i++)
		tarn_str_addf(s, "%s%d:%s", i ? " " : "", i, layout(port[i].rank));
	tarn_str_add(s, "\" ");
}

/* Properties that the compiler sees, when they were set. PERF_COUNT goes by a flag of the descriptor. */
static const char *const forwarded[] = {
	"PERFORMANCE_HINT",
	"EXECUTION_MODE_HINT",
	"INFERENCE_PRECISION_HINT",
	"NPU_PLATFORM",
	"NPU_TILES",
	"NPU_TURBO",
	"COMPILATION_NUM_THREADS",
	"NPU_COMPILATION_MODE_PARAMS",
	"NPU_QDQ_OPTIMIZATION",
	"DEVICE_ID",
	"NPU_COMPILER_DYNAMIC_QUANTIZATION",
};

static bool compiler_takes(const npu_device *d, const char *key)
{
	/* Drivers that cannot tell are older than these three. */
	if (!*d->options)
		return strcmp(key, "NPU_TURBO") && strcmp(key, "NPU_QDQ_OPTIMIZATION") &&
		       strcmp(key, "NPU_COMPILER_DYNAMIC_QUANTIZATION");
	size_t n = strlen(key);
	for (const char *at = d->options; (at = strstr(at, key)); at++)
		if (at[-1] == ' ' && at[n] == ' ')
			return true;
	return false;
}

/* Turbo is an option of the queue; some compilers are told, too. The device's number is nobody else's business. */
static bool works_without_compiler(const char *key)
{
	return !strcmp(key, "NPU_TURBO") || !strcmp(key, "DEVICE_ID");
}

tarn_err tarn_npu_build_flags(const npu_device *d, tarn_program *p, tarn_str *flags)
{
	bool begun = false;
	for (int i = 0; i < p->n_out; i++)
		TRY(check_port(&p->out[i], "output"));
	put_ports(flags, "inputs", p->in, p->n_in);
	put_ports(flags, "outputs", p->out, p->n_out);
	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++) {
		const char *key = forwarded[i], *value = tarn_props_find(&p->props, key);
		if (!value || !*value)
			continue;
		if (!compiler_takes(d, key)) {
			if (!works_without_compiler(key))
				TRY(tarn_program_note(p, "%s=%s has no effect: the driver's compiler does not know it", key,
						      value));
			continue;
		}
		/* The compiler has no words for "as you like". */
		if (!strcmp(key, "INFERENCE_PRECISION_HINT") && (!strcmp(value, "dynamic") || !strcmp(value, "undefined")))
			continue;
		CHECK(!strchr(value, '"'), TARN_USAGE, "property %s cannot have a quotation mark in '%s'; leave it out", key,
		      value);
		tarn_str text = {0};
		tarn_prop_canon(tarn_prop_find("NPU", key), value, &text);
		tarn_str_addf(flags, "%s%s=\"%s\"", begun ? " " : "--config ", key, text.at ? text.at : "");
		flags->failed |= text.failed;
		tarn_str_fini(&text);
		begun = true;
	}
	return tarn_str_done(flags);
}

/* ---- the compiler's answer ---- */

tarn_err tarn_npu_build_error(const npu_device *d, ze_result_t r, const char *doing)
{
	char log[2048] = "";
	uint32_t n = sizeof log;
	tarn_err err = tarn_npu_result(r, doing);
	if (!err || d->sys->graph->pfnBuildLogGetString(NULL, &n, log) != ZE_RESULT_SUCCESS)
		return err;
	log[sizeof log - 1] = 0;
	for (char *c = log; *c; c++)
		*c = *c == '\n' || *c == '\r' ? ' ' : *c;
	n = (uint32_t)strlen(log);
	while (n && log[n - 1] == ' ')
		log[--n] = 0;
	return n ? tarn_err_set(err, "%s: %s", doing, log) : err;
}
