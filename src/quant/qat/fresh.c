/* SPDX-License-Identifier: Apache-2.0 */
/* Where training from scratch starts: weights of variance 2 / inputs (He et al., arXiv 1502.01852), embeddings of 0.1, scales
 * of one, shifts of zero. */
#include <math.h>
#include <string.h>

#include "quant/plan.h"
#include "quant/qat/score.h"

static double normal(uint64_t *state)
{
	double u = ((double)(qat_random(state) >> 11) + 0.5) / (double)(1ull << 53);
	double v = (double)(qat_random(state) >> 11) / (double)(1ull << 53);
	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

static void fill(float *x, size_t n, double deviation, uint64_t *state)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (float)(deviation * normal(state));
}

/* How many numbers one output of the node sums over. */
static double inputs_of(const tarn_node *n, const tarn_tensor *w)
{
	int64_t count = tarn_tensor_count(w);
	int turned = tarn_attr_index(n->op, "transB");
	if (tarn_quant_is(n, "Conv"))
		return (double)(count / w->dim[0]);
	if (tarn_quant_is(n, "ConvTranspose"))
		return (double)(count / w->dim[1]);
	return (double)w->dim[w->rank >= 2 && !(turned >= 0 && tarn_attr_i(n, turned)) ? w->rank - 2 : w->rank - 1];
}

static void forget(const tarn_node *n, int slot, const qat_param *p, uint64_t *state, float *x)
{
	static const char *const products[] = {"Conv", "ConvTranspose", "Gemm", "MatMul", "FusedMatMul", NULL};
	static const char *const recurrent[] = {"RNN", "GRU", "LSTM", NULL};
	static const char *const normalisations[] = {"LayerNormalization", "BatchNormalization", NULL};
	if (tarn_quant_any_of(n, recurrent) && slot < 3) /* W and R: of variance 1 / inputs, as gates are not cut at 0 */
		fill(x, p->n, sqrt(1 / fmax(1, (double)p->v->konst->dim[2])), state);
	else if (tarn_quant_any_of(n, products) && slot < 2)
		fill(x, p->n, sqrt(2 / fmax(1, inputs_of(n, p->v->konst))), state);
	else if (tarn_quant_is(n, "Einsum")) /* of the size the model has them */
		fill(x, p->n, qat_net_size(x, p->n), state);
	else if (tarn_quant_is(n, "Gather"))
		fill(x, p->n, 0.1, state);
	else if (tarn_quant_any_of(n, products) || tarn_quant_any_of(n, recurrent) || tarn_quant_is(n, "Add") ||
		 (tarn_quant_any_of(n, normalisations) && slot == 2))
		memset(x, 0, p->n * sizeof *x);
	else if (tarn_quant_any_of(n, normalisations) && slot == 1)
		for (size_t i = 0; i < p->n; i++)
			x[i] = 1;
}

void qat_net_forget(const qat_net *net, uint64_t seed, float *theta)
{
	const tarn_graph *g = net->m->main;
	uint64_t state = seed ^ 0x667265736875u;
	for (size_t i = 0; i < net->param.len; i++) {
		qat_param *p = &net->param.at[i];
		if (p->kind != QAT_FLOAT)
			continue;
		bool done = false;
		for (size_t k = 0; k < g->node.len && !done; k++)
			for (int slot = 0; slot < g->node.at[k]->n_in && !done; slot++)
				if (g->node.at[k]->in[slot] == p->v) {
					forget(g->node.at[k], slot, p, &state, theta + p->at);
					done = true;
				}
		/* zeros must be able to leave */
		p->unit = fmaxf(qat_net_size(theta + p->at, p->n), 0.05f);
	}
}
