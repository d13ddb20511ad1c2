/* SPDX-License-Identifier: Apache-2.0 */
/* Which engine runs which operator, and what the device does not take. */
#include <string.h>

#include "driver/compile/plan.h"
#include "ir/op.h"

/* clang-format off */
static const npu_rule rules[] = {
	{"Conv", NPU_DPU, TARN_SHAVE_GENERIC},
	{"ConvTranspose", NPU_DPU, TARN_SHAVE_GENERIC},
	{"MatMul", NPU_DPU, TARN_SHAVE_GENERIC},
	{"Gemm", NPU_DPU, TARN_SHAVE_GENERIC},
	{"MaxPool", NPU_DPU, TARN_SHAVE_GENERIC},
	{"AveragePool", NPU_DPU, TARN_SHAVE_GENERIC},
	{"GlobalAveragePool", NPU_DPU, TARN_SHAVE_REDUCE},
	{"GlobalMaxPool", NPU_DPU, TARN_SHAVE_REDUCE},
	{"Add", NPU_DPU, TARN_SHAVE_ADD},
	{"Sub", NPU_DPU, TARN_SHAVE_ADD},
	{"QuantizeLinear", NPU_DPU, TARN_SHAVE_QUANTIZE},
	{"DequantizeLinear", NPU_DPU, TARN_SHAVE_CONVERT},
	{"Concat", NPU_DMA, TARN_SHAVE_COPY},
	{"DepthToSpace", NPU_DMA, TARN_SHAVE_COPY},
	{"Dropout", NPU_DMA, TARN_SHAVE_COPY},
	{"Expand", NPU_DMA, TARN_SHAVE_COPY},
	{"Flatten", NPU_DMA, TARN_SHAVE_COPY},
	{"Identity", NPU_DMA, TARN_SHAVE_COPY},
	{"Pad", NPU_DMA, TARN_SHAVE_COPY},
	{"Reshape", NPU_DMA, TARN_SHAVE_COPY},
	{"Slice", NPU_DMA, TARN_SHAVE_COPY},
	{"SpaceToDepth", NPU_DMA, TARN_SHAVE_COPY},
	{"Split", NPU_DMA, TARN_SHAVE_COPY},
	{"Squeeze", NPU_DMA, TARN_SHAVE_COPY},
	{"Tile", NPU_DMA, TARN_SHAVE_COPY},
	{"Transpose", NPU_DMA, TARN_SHAVE_COPY},
	{"Unsqueeze", NPU_DMA, TARN_SHAVE_COPY},
	{"Abs", NPU_SHAVE, TARN_SHAVE_ABS},
	{"And", NPU_SHAVE, TARN_SHAVE_COMPARE},
	{"Cast", NPU_SHAVE, TARN_SHAVE_CONVERT},
	{"Ceil", NPU_SHAVE, TARN_SHAVE_CEILING},
	{"Clip", NPU_SHAVE, TARN_SHAVE_CLAMP},
	{"CumSum", NPU_SHAVE, TARN_SHAVE_CUMSUM},
	{"Div", NPU_SHAVE, TARN_SHAVE_DIV},
	{"Elu", NPU_SHAVE, TARN_SHAVE_ELU},
	{"Equal", NPU_SHAVE, TARN_SHAVE_COMPARE},
	{"Erf", NPU_SHAVE, TARN_SHAVE_ERF},
	{"Exp", NPU_SHAVE, TARN_SHAVE_EXP},
	{"FakeQuantize", NPU_SHAVE, TARN_SHAVE_QUANTIZE},
	{"Floor", NPU_SHAVE, TARN_SHAVE_FLOOR},
	{"GRU", NPU_SHAVE, TARN_SHAVE_RECURRENT},
	{"Gather", NPU_SHAVE, TARN_SHAVE_GATHER},
	{"GatherElements", NPU_SHAVE, TARN_SHAVE_GATHER},
	{"GatherND", NPU_SHAVE, TARN_SHAVE_GATHER},
	{"Gelu", NPU_SHAVE, TARN_SHAVE_GELU},
	{"Greater", NPU_SHAVE, TARN_SHAVE_COMPARE},
	{"GreaterOrEqual", NPU_SHAVE, TARN_SHAVE_COMPARE},
	{"GroupNormalization", NPU_SHAVE, TARN_SHAVE_NORM},
	{"HardSigmoid", NPU_SHAVE, TARN_SHAVE_HSIGMOID},
	{"HardSwish", NPU_SHAVE, TARN_SHAVE_HSWISH},
	{"InstanceNormalization", NPU_SHAVE, TARN_SHAVE_NORM},
	{"LRN", NPU_SHAVE, TARN_SHAVE_NORM},
	{"LSTM", NPU_SHAVE, TARN_SHAVE_RECURRENT},
	{"LayerNormalization", NPU_SHAVE, TARN_SHAVE_NORM},
	{"LeakyRelu", NPU_SHAVE, TARN_SHAVE_PRELU},
	{"Less", NPU_SHAVE, TARN_SHAVE_COMPARE},
	{"LessOrEqual", NPU_SHAVE, TARN_SHAVE_COMPARE},
	{"Log", NPU_SHAVE, TARN_SHAVE_LOG},
	{"LogSoftmax", NPU_SHAVE, TARN_SHAVE_SOFTMAX},
	{"MVN", NPU_SHAVE, TARN_SHAVE_NORM},
	{"Max", NPU_SHAVE, TARN_SHAVE_MAX},
	{"Min", NPU_SHAVE, TARN_SHAVE_MAX},
	{"Mish", NPU_SHAVE, TARN_SHAVE_MISH},
	{"Mul", NPU_SHAVE, TARN_SHAVE_MUL},
	{"Neg", NPU_SHAVE, TARN_SHAVE_NEGATIVE},
	{"NormalizeL2", NPU_SHAVE, TARN_SHAVE_NORM},
	{"Not", NPU_SHAVE, TARN_SHAVE_COMPARE},
	{"Or", NPU_SHAVE, TARN_SHAVE_COMPARE},
	{"PRelu", NPU_SHAVE, TARN_SHAVE_PRELU},
	{"Pow", NPU_SHAVE, TARN_SHAVE_POW},
	{"RNN", NPU_SHAVE, TARN_SHAVE_RECURRENT},
	{"Reciprocal", NPU_SHAVE, TARN_SHAVE_DIV},
	{"ReduceL1", NPU_SHAVE, TARN_SHAVE_REDUCE},
	{"ReduceL2", NPU_SHAVE, TARN_SHAVE_REDUCE},
	{"ReduceMax", NPU_SHAVE, TARN_SHAVE_REDUCE},
	{"ReduceMean", NPU_SHAVE, TARN_SHAVE_REDUCE},
	{"ReduceMin", NPU_SHAVE, TARN_SHAVE_REDUCE},
	{"ReduceSum", NPU_SHAVE, TARN_SHAVE_REDUCE},
	{"Relu", NPU_SHAVE, TARN_SHAVE_RELU},
	{"Resize", NPU_SHAVE, TARN_SHAVE_RESIZE},
	{"Round", NPU_SHAVE, TARN_SHAVE_ROUND},
	{"Selu", NPU_SHAVE, TARN_SHAVE_SELU},
	{"Sigmoid", NPU_SHAVE, TARN_SHAVE_SIGMOID},
	{"Sign", NPU_SHAVE, TARN_SHAVE_SIGN},
	{"Softmax", NPU_SHAVE, TARN_SHAVE_SOFTMAX},
	{"Softplus", NPU_SHAVE, TARN_SHAVE_SOFTPLUS},
	{"Sqrt", NPU_SHAVE, TARN_SHAVE_SQRT},
	{"SquaredDifference", NPU_SHAVE, TARN_SHAVE_MUL},
	{"Swish", NPU_SHAVE, TARN_SHAVE_SWISH},
	{"Tanh", NPU_SHAVE, TARN_SHAVE_TANH},
	{"TopK", NPU_SHAVE, TARN_SHAVE_SORT},
	{"Upsample", NPU_SHAVE, TARN_SHAVE_RESIZE},
	{"Where", NPU_SHAVE, TARN_SHAVE_SELECT},
	{"Xor", NPU_SHAVE, TARN_SHAVE_COMPARE},
};
/* clang-format on */

/* Integer arithmetic wider than what the engines have: shape logic that did not fold away. */
static const char *const no_wide_integers[] = {"Add",       "Sub",    "Mul",  "Div",      "Mod",   "Pow",
					       "CumSum",    "MatMul", "Conv", "Gemm",     "Sum",   "Abs",
					       "ReduceSum", "MatMul", "Neg",  "BitShift", "Range", "ReduceProd"};

const npu_rule *tarn_npu_rule(const tarn_node *n)
{
	static const npu_rule generic = {"", NPU_SHAVE, TARN_SHAVE_GENERIC};
	if (!n->op->domain || !*n->op->domain)
		for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
			if (!strcmp(rules[i].op, n->op->name))
				return &rules[i];
	return &generic;
}

static bool wide(const tarn_value *v)
{
	return v && (v->type == TARN_I64 || v->type == TARN_U64 || v->type == TARN_U32);
}

static bool types_fit(const tarn_node *n, tarn_str *why)
{
	for (int i = 0; i < n->n_in + n->n_out; i++) {
		const tarn_value *v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
		if (!v)
			continue;
		if (v->type == TARN_STRING) {
			tarn_str_addf(why, "'%s' is text", v->name);
			return false;
		}
		if (v->type == TARN_I4 || v->type == TARN_U4) {
			tarn_str_addf(why, "'%s' has 4-bit elements", v->name);
			return false;
		}
		if (v->shape.rank < 0 || !tarn_shape_is_static(&v->shape)) {
			tarn_str_addf(why, "the size of '%s' is not known before it runs", v->name);
			return false;
		}
	}
	if (n->n_in && wide(n->in[0]))
		for (size_t i = 0; i < sizeof no_wide_integers / sizeof *no_wide_integers; i++)
			if (!strcmp(n->op->name, no_wide_integers[i])) {
				tarn_str_addf(why, "it computes with %s", tarn_dtype_info(n->in[0]->type)->word);
				return false;
			}
	return true;
}

bool tarn_npu_takes(const tarn_node *n, tarn_str *why)
{
	if (n->op->flags & TARN_OP_CONTROL || n->n_body) {
		tarn_str_add(why, "control flow does not run on the NPU");
		return false;
	}
	if (n->op->flags & TARN_OP_DATA_SHAPE) {
		tarn_str_add(why, "the size of its result depends on data");
		return false;
	}
	if (n->op->flags & TARN_OP_RANDOM) {
		tarn_str_add(why, "random numbers are not available");
		return false;
	}
	if (!n->op->eval && !n->op->decompose) {
		tarn_str_add(why, "there is no kernel for it");
		return false;
	}
	return types_fit(n, why);
}

tarn_err tarn_npu_legal(const tarn_graph *g)
{
	tarn_str why = {0};
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		if (tarn_npu_takes(n, &why))
			continue;
		tarn_err err = tarn_err_set(TARN_UNSUPPORTED, "node '%s' (%s) cannot run on the NPU: %s", n->name, n->op->name,
					    why.at ? why.at : "no reason known");
		tarn_str_fini(&why);
		return err;
	}
	return TARN_OK;
}
