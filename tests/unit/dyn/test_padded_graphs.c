/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random graphs from the operator table with random free axes: bounded they equal the original without padding, or are refused
 * by name. Without arguments a few hundred of them; `FROM TO` runs these seeds and prints what became of them.
 */
#include "unit/dyn/coverage.h"
#include "unit/dyn/random_graph.h"

/* NaN has no place among numbers in order, nor beside the infinities that padding is. */
static bool has_order(void)
{
	for (size_t i = 0; i < g->node.len; i++)
		if (!strcmp(g->node.at[i]->op->name, "TopK") || !strncmp(g->node.at[i]->op->name, "Arg", 3) ||
		    !strcmp(g->node.at[i]->op->name, "ScaledDotProductAttention"))
			return true;
	return false;
}

/* Normalisations in pieces: what is left of two numbers that are almost equal is divided by itself, in f32 where the reference
 * has double. */
static double tolerance(void)
{
	for (size_t i = 0; i < g->node.len; i++)
		if (strstr(g->node.at[i]->op->name, "MVN") || strstr(g->node.at[i]->op->name, "VarianceNorm"))
			return 1e-3;
	return 1e-4;
}

typedef struct tally {
	long equal, refused, never, steps, repairs, wrong;
} tally;

static bool verbose;
static uint32_t current;

/* The first value, in the order of nodes, that differs when it is the only output. */
static void blame(const int64_t *len)
{
	size_t n = g->output.len;
	tarn_value *was = g->output.at[0];
	uint32_t at = seed;
	g->output.len = 1;
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_out; k++) {
			tarn_model *b = tarn_model_ref(model);
			g->output.at[0] = g->node.at[i]->out[k];
			seed = at;
			if (!g->output.at[0] || tarn_model_bound_all(&b, spec, n_spec, NULL) != TARN_OK ||
			    padded_error(model, b, spec, len, n_spec) <= 1e-4)
				continue;
			print_error("it begins in '%s' (%s)\n", g->node.at[i]->name, g->node.at[i]->op->name);
			i = g->node.len - 1;
			break;
		}
	tarn_err_clear();
	g->output.at[0] = was;
	g->output.len = n;
	seed = at;
}

/* ---- what was met ---- */

enum { MOST_IDS = 4096 };
static coverage met;
static bool full[MOST_IDS], used[MOST_IDS]; /* by value: holds numbers other than 0; an output hangs on it */

static tarn_err see(void *ctx, const tarn_value *v, const tarn_tensor *t)
{
	(void)ctx;
	if (!v || !t || v->id >= MOST_IDS)
		return TARN_OK;
	full[v->id] = false;
	for (int64_t k = 0; k < tarn_tensor_count(t) && !full[v->id]; k++) {
		double x = tarn_dtype_is_float(t->type) ? tarn_tensor_f64(t, k) : (double)tarn_tensor_i64(t, k);
		full[v->id] = x != 0 && isfinite(x);
	}
	return TARN_OK;
}

static void lengths_of(const int64_t *len, int64_t *value)
{
	for (int i = 0; i < 64; i++)
		value[i] = -1;
	for (int i = 0; i < n_spec; i++) {
		tarn_dim s;
		assert_ok(tarn_symtab_named(&model->syms, spec[i].name, &s));
		value[-s - 1] = len ? len[i] : spec[i].max;
	}
}

/* The graph as it stands equalled its bounded form at these lengths; or, without any, was refused. */
static void meet_all(const int64_t *len)
{
	static const int64_t ones[2] = {1, 1};
	int64_t value[64], max[64];
	lengths_of(len ? len : ones, value);
	lengths_of(NULL, max);
	memset(used, 0, sizeof used);
	for (size_t i = 0; i < g->output.len; i++)
		used[g->output.at[i]->id % MOST_IDS] = true;
	for (size_t i = g->node.len; i-- > 0;) {
		const tarn_node *n = g->node.at[i];
		bool on_the_way = false, content = false;
		for (int k = 0; k < n->n_out; k++) {
			on_the_way |= n->out[k] && used[n->out[k]->id % MOST_IDS];
			content |= n->out[k] && full[n->out[k]->id % MOST_IDS];
		}
		for (int k = 0; on_the_way && k < n->n_in; k++)
			if (n->in[k])
				used[n->in[k]->id % MOST_IDS] = true;
		if (on_the_way && content && len)
			meet(&met, model, n, max, value);
		else if (on_the_way)
			meet_needs(&met, model, n, max, value, false);
	}
}

/* Sums and means in another order round differently. A step function, or a difference of equals, may make more of a last bit.
 * Such a difference is accepted only when the original, without any padding, jumps as far when last bits are moved. */
static void compare(tarn_model *b, tally *t)
{
	if (verbose && getenv("DUMP"))
		dump();
	bool ran = false;
	for (int i = 0; i < 3; i++) {
		int64_t len[2] = {0};
		for (int k = 0; k < n_spec; k++)
			len[k] = i ? between(1, (int)spec[k].max) : spec[k].max;
		uint32_t before = seed;
		double e = padded_error(model, b, spec, len, n_spec);
		if (e >= 0 && e <= tolerance())
			meet_all(len);
		ran |= e >= 0;
		if (e < 0 || e <= tolerance())
			continue;
		seed = before;
		bool nan = false;
		double jump = padded_jump(model, spec, len, n_spec, &nan);
		if (jump >= fmin(e, 1) / 10 || (nan && has_order())) {
			t->steps++;
			return;
		}
		print_error("the original moves by %g\n", jump);
		print_error("seed %u at %lld, %lld: relative error %g\n", current, (long long)len[0], (long long)len[1], e);
		if (verbose || getenv("DUMP")) {
			seed = before;
			blame(len);
			dump();
		}
		t->wrong++;
		return;
	}
	*(ran ? &t->equal : &t->never) += 1;
}

enum { MOST_OPS = 512 };
static bool makes[MAKERS][MOST_OPS]; /* by maker and place of the operator in the table */

static int place_of(const char *op, size_t length)
{
	int i = 0;
	while (tarn_ops[i] && (strncmp(tarn_ops[i]->name, op, length) || tarn_ops[i]->name[length]))
		i++;
	assert_true(tarn_ops[i] && i < MOST_OPS);
	return i;
}

/* One more step by the maker of that number; false when it does not suit. */
static bool step_by(int first)
{
	size_t from = g->node.len;
	if (!step_with(makers[first]))
		return false;
	for (size_t i = from; i < g->node.len; i++)
		makes[first][place_of(g->node.at[i]->op->name, strlen(g->node.at[i]->op->name))] = true;
	return true;
}

/* `first`: a maker that has a step of its own; -1: none. */
static void one(uint32_t s, int first, tally *t)
{
	current = s;
	seed = s * 2654435761u + 12345;
	for (int i = 0; i < 4; i++)
		(void)number();
	start();
	int at = between(0, 3);
	for (int i = between(1, MOST_STEPS); i >= 0 && n_pool < MAX_VALUES; i--)
		if (first >= 0 && at-- <= 0 && step_by(first))
			first = -1;
		else
			step();
	for (int i = n_pool - 1; i >= 0 && i >= n_pool - 3; i--)
		if (pool[i]->def)
			output(g, pool[i]);
	if (g->output.len) {
		tarn_model *b = tarn_model_ref(model);
		tarn_bound_cost cost;
		tarn_err err = tarn_model_bound_all(&b, spec, n_spec, &cost);
		if (err == TARN_OK) {
			t->repairs += cost.repairs;
			compare(b, t);
		} else {
			bool named = err != TARN_INTERNAL && err != TARN_NOMEM && strstr(tarn_err_text(), "node '");
			if (!named || verbose)
				print_error("seed %u: %d: %s\n", s, err, tarn_err_text());
			assert_true(named);
			meet_all(NULL);
			t->refused++;
		}
		tarn_model_unref(b);
	}
	tarn_model_unref(model);
}

static tally run(uint32_t from, uint32_t to)
{
	tally t = {0};
	padded_talk = false;
	padded_watch = see;
	for (uint32_t s = from; s < to; s++)
		one(s, -1, &t);
	return t;
}

static void a_few_hundred(void **state)
{
	(void)state;
	tally t = run(0, 300);
	assert_int_equal(t.wrong, 0);
	assert_true(t.equal > 100 && t.repairs > t.equal);
}

/* ---- every answer of the table ---- */

/* What cannot be met, and why. */
static const char *const excused[][2] = {
	{"ReduceL1.input 1 given", "import makes it an attribute, of all reductions but the sum"},
	{"ReduceL2.input 1 given", "likewise"},
	{"ReduceLogSum.input 1 given", "likewise"},
	{"ReduceLogSumExp.input 1 given", "likewise"},
	{"ReduceMax.input 1 given", "likewise"},
	{"ReduceMean.input 1 given", "likewise"},
	{"ReduceMin.input 1 given", "likewise"},
	{"ReduceProd.input 1 given", "likewise"},
	{"ReduceSumSquare.input 1 given", "likewise"},
	{"TopK.input 1 absent", "import makes it an input"},
	{"AveragePool.kernel_shape absent", "it has to be given"},
	{"LpPool.kernel_shape absent", "it has to be given"},
	{"MaxPool.kernel_shape absent", "it has to be given"},
	{"BatchNormalization.training_mode=1", "it takes statistics of the batch: refused"},
	{"BatchNormalization.output 1", "likewise"},
	{"BatchNormalization.output 2", "likewise"},
	{"BatchNormalization.output 3", "likewise"},
	{"BatchNormalization.output 4", "likewise"},
	{"MaxPool.output 1", "indices count elements of the whole input: refused"},
	{"MaxPool.storage_order other than usual", "it says how these indices count"},
	{"QuantizeLinear.saturate other than usual", "it is about 8-bit floats"},
	{"GridSample.mode=linear", "a newer word for bilinear, as which it is read"},
	{"GridSample.mode=cubic", "likewise for bicubic"},
	{"Scatter.reduction=add", "the operator's older form has none"},
	{"Scatter.reduction=mul", "likewise"},
	{"Scatter.reduction=max", "likewise"},
	{"Scatter.reduction=min", "likewise"},
	{"Squeeze.input 0 needs place", "an axis that is squeezed has size 1 at every length"},
	{"Squeeze.input 1 absent", "the rank would depend on the length: refused"},
};

static bool missing(int i)
{
	const char *name = met.name[i];
	if (!name[0] || met.met[i] || strstr(name, " needs unsafe"))
		return false;
	for (size_t k = 0; k < sizeof excused / sizeof *excused; k++)
		if (!strcmp(name, excused[k][0]))
			return false;
	return true;
}

static int count_missing(bool print)
{
	int n = 0;
	for (int i = 0; i < MOST_THINGS; i++)
		if (missing(i)) {
			n++;
			if (print)
				print_error("never met: %s\n", met.name[i]);
		}
	return n;
}

/* A maker of the next operator of which something is missing; -1: nothing is. */
static int maker_of_missing(void)
{
	static int next;
	for (int i = 0; i < MOST_THINGS; i++) {
		next = (next + 1) % MOST_THINGS;
		if (!missing(next))
			continue;
		int op = place_of(met.name[next], strcspn(met.name[next], ". ")), k = between(0, MAKERS - 1);
		for (int n = 0; n < MAKERS && !makes[k][op]; n++)
			k = (k + 1) % MAKERS;
		return k;
	}
	return -1;
}

/* Graphs are drawn, each with one more step by a maker in turn, and then by those of what is missing, until nothing is. */
static void everything_is_met(void **state)
{
	(void)state;
	enum { MOST = 30000, FROM = 1 << 24 };
	tally t = {0};
	padded_talk = false;
	padded_watch = see;
	expect_table(&met);
	uint32_t s = 0;
	for (int k = 0; s < MOST && k >= 0; s++) {
		k = s < 8 * MAKERS ? (int)s % MAKERS : maker_of_missing();
		one(FROM + s, k, &t);
	}
	assert_int_equal(count_missing(true), 0);
	assert_int_equal(t.wrong, 0);
	printf("everything that padding may meet was met within %u graphs\n", s);
}

static uint32_t range[2];

static void given_range(void **state)
{
	(void)state;
	tally t = run(range[0], range[1]);
	printf("%ld equal, with %ld repairs; %ld refused by name; %ld run at none of the lengths tried; %ld differ where a "
	       "step "
	       "function turns the last bit into a step\n",
	       t.equal, t.repairs, t.refused, t.never, t.steps);
	assert_int_equal(t.wrong, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest few[] = {cmocka_unit_test(a_few_hundred), cmocka_unit_test(everything_is_met)},
				given[] = {cmocka_unit_test(given_range)};
	if (argc < 3)
		return cmocka_run_group_tests(few, NULL, NULL);
	range[0] = (uint32_t)strtoul(argv[1], NULL, 10);
	range[1] = (uint32_t)strtoul(argv[2], NULL, 10);
	verbose = argc > 3;
	return cmocka_run_group_tests(given, NULL, NULL);
}
