/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <strings.h>

#include "ops/recurrent.h"

enum { RELU, TANH, SIGMOID, AFFINE, LEAKY, THRESHOLDED, SCALED_TANH, HARD_SIGMOID, ELU, SOFTSIGN, SOFTPLUS, N_ACT };
static const struct {
	const char *name;
	bool has_alpha, has_beta;
	double alpha, beta; /* defaults: those of the ONNX operators of the same names */
} table[N_ACT] = {
	[RELU] = {"Relu"},
	[TANH] = {"Tanh"},
	[SIGMOID] = {"Sigmoid"},
	[AFFINE] = {"Affine", true, true, 1, 0},
	[LEAKY] = {"LeakyRelu", true, false, 0.01, 0},
	[THRESHOLDED] = {"ThresholdedRelu", true, false, 1, 0},
	[SCALED_TANH] = {"ScaledTanh", true, true, 1, 1},
	[HARD_SIGMOID] = {"HardSigmoid", true, true, 0.2, 0.5},
	[ELU] = {"Elu", true, false, 1, 0},
	[SOFTSIGN] = {"Softsign"},
	[SOFTPLUS] = {"Softplus"},
};

static tarn_err one(const char *name, size_t len, tarn_recurrent_act *a)
{
	for (int k = 0; k < N_ACT; k++)
		if (!strncasecmp(table[k].name, name, len) && !table[k].name[len]) {
			*a = (tarn_recurrent_act){k, table[k].alpha, table[k].beta};
			return TARN_OK;
		}
	return tarn_err_set(TARN_UNSUPPORTED, "activation '%.*s' is not known", (int)(len < 40 ? len : 40), name);
}

tarn_err tarn_recurrent_acts(const tarn_node *n, const char *defaults, int directions, tarn_recurrent_act *act, int need)
{
	const tarn_attr *names = &n->attr[TARN_REC_ACTIVATIONS], *alpha = &n->attr[TARN_REC_ALPHA],
			*beta = &n->attr[TARN_REC_BETA];
	bool given = names->set && names->s && *names->s;
	const char *at = given ? names->s : defaults;
	int count = 0, na = 0, nb = 0;
	for (const char *s = at; count < need; count++) {
		while (*s == ' ' || *s == ',')
			s++;
		if (!*s && !given && count)
			s = defaults; /* the same again for the second direction */
		size_t len = 0;
		while (s[len] && s[len] != ',' && s[len] != ' ')
			len++;
		CHECK(len, TARN_BAD_FILE, "%d activations are named, %d are needed for %d directions", count, need, directions);
		TRY(one(s, len, &act[count]));
		s += len;
	}
	for (int i = 0; i < need; i++) {
		if (table[act[i].kind].has_alpha && alpha->set && na < alpha->floats.n)
			act[i].alpha = alpha->floats.at[na++];
		if (table[act[i].kind].has_beta && beta->set && nb < beta->floats.n)
			act[i].beta = beta->floats.at[nb++];
	}
	return TARN_OK;
}

double tarn_recurrent_apply(const tarn_recurrent_act *a, double x)
{
	switch (a->kind) {
	case RELU:
		return x > 0 ? x : 0;
	case TANH:
		return tanh(x);
	case SIGMOID:
		return 1 / (1 + exp(-x));
	case AFFINE:
		return a->alpha * x + a->beta;
	case LEAKY:
		return x < 0 ? a->alpha * x : x;
	case THRESHOLDED:
		return x > a->alpha ? x : 0;
	case SCALED_TANH:
		return a->alpha * tanh(a->beta * x);
	case HARD_SIGMOID:
		return fmin(1, fmax(0, a->alpha * x + a->beta));
	case ELU:
		return x < 0 ? a->alpha * (exp(x) - 1) : x;
	case SOFTSIGN:
		return x / (1 + fabs(x));
	default:
		return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
	}
}

double tarn_recurrent_slope(const tarn_recurrent_act *a, double x)
{
	double y = tarn_recurrent_apply(a, x);
	switch (a->kind) {
	case RELU:
		return x > 0;
	case TANH:
		return 1 - y * y;
	case SIGMOID:
		return y * (1 - y);
	case AFFINE:
		return a->alpha;
	case LEAKY:
		return x < 0 ? a->alpha : 1;
	case THRESHOLDED:
		return x > a->alpha;
	case SCALED_TANH:
		return a->beta * (a->alpha - y * y / a->alpha);
	case HARD_SIGMOID:
		return y > 0 && y < 1 ? a->alpha : 0;
	case ELU:
		return x < 0 ? y + a->alpha : 1;
	case SOFTSIGN:
		return 1 / ((1 + fabs(x)) * (1 + fabs(x)));
	default:
		return 1 / (1 + exp(-x));
	}
}
