/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random graphs from the operator table with random free axes: bounded they equal the original without padding, or are refused
 * by name. Without arguments a few hundred of them; `FROM TO` runs these seeds and prints what became of them.
 */
#include "unit/dyn/random_graph.h"

#include "ir/dump.h"

/* Sums and means in another order round differently. Where a step function follows, the last bit may become a whole step. Such
 * a difference is accepted only when the original, without any padding, jumps as far when its inputs are moved by a few last
 * bits. */
static bool has_steps(void)
{
	static const char *const all[] = {"Floor",
					  "Ceil",
					  "Round",
					  "Sign",
					  "ArgMax",
					  "ArgMin",
					  "Mod",
					  "Equal",
					  "Less",
					  "Greater",
					  "TopK",
					  "IsNaN",
					  "IsInf",
					  "Hardmax",
					  "GreaterOrEqual",
					  "LessOrEqual",
					  "MeanVarianceNormalization",
					  "ThresholdedRelu",
					  "Shrink",
					  "Cast",
					  "DynamicQuantizeLinear",
					  "Tan",
					  "Acosh",
					  "Log",
					  "Reciprocal",
					  "Pow"};
	for (size_t i = 0; i < g->node.len; i++)
		for (size_t k = 0; k < sizeof all / sizeof *all; k++)
			if (!strcmp(g->node.at[i]->op->name, all[k]))
				return true;
	return false;
}

/* NaN has no place among numbers in order, nor beside the infinities that padding is. */
static bool has_order(void)
{
	for (size_t i = 0; i < g->node.len; i++)
		if (!strcmp(g->node.at[i]->op->name, "TopK") || !strncmp(g->node.at[i]->op->name, "Arg", 3))
			return true;
	return false;
}

typedef struct tally {
	long equal, refused, never, steps, repairs, wrong;
} tally;

static bool verbose;
static uint32_t current;

static void dump(void)
{
	tarn_str s = {0};
	assert_ok(tarn_graph_infer(g));
	tarn_graph_dump(g, &s);
	for (char *line = s.at ? s.at : NULL, *next; line && *line; line = next) { /* print_error cuts long texts */
		next = line + strcspn(line, "\n") + (line[strcspn(line, "\n")] != 0);
		print_error("%.*s", (int)(next - line), line);
	}
	tarn_str_fini(&s);
}

static void compare(tarn_model *b, tally *t)
{
	if (verbose && getenv("DUMP"))
		dump();
	bool ran = false, exact = !has_steps();
	for (int i = 0; i < 3; i++) {
		int64_t len[2] = {0};
		for (int k = 0; k < n_spec; k++)
			len[k] = i ? between(1, (int)spec[k].max) : spec[k].max;
		uint32_t before = seed;
		double e = padded_error(model, b, spec, len, n_spec);
		ran |= e >= 0;
		if (e < 0 || e <= 1e-4)
			continue;
		seed = before;
		bool nan = false;
		double jump = exact ? 0 : padded_jump(model, spec, len, n_spec, &nan);
		if (jump >= fmin(e, 1) / 10 || (nan && has_order())) {
			t->steps++;
			return;
		}
		print_error("the original moves by %g\n", jump);
		print_error("seed %u at %lld, %lld: relative error %g\n", current, (long long)len[0], (long long)len[1], e);
		if (verbose)
			dump();
		t->wrong++;
		return;
	}
	*(ran ? &t->equal : &t->never) += 1;
}

static void one(uint32_t s, tally *t)
{
	current = s;
	seed = s * 2654435761u + 12345;
	for (int i = 0; i < 4; i++)
		(void)number();
	start();
	for (int i = between(1, MOST_STEPS); i >= 0 && n_pool < MAX_VALUES; i--)
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
	for (uint32_t s = from; s < to; s++)
		one(s, &t);
	return t;
}

static void a_few_hundred(void **state)
{
	(void)state;
	tally t = run(0, 300);
	assert_int_equal(t.wrong, 0);
	assert_true(t.equal > 100 && t.repairs > t.equal);
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
	const struct CMUnitTest few[] = {cmocka_unit_test(a_few_hundred)}, given[] = {cmocka_unit_test(given_range)};
	if (argc < 3)
		return cmocka_run_group_tests(few, NULL, NULL);
	range[0] = (uint32_t)strtoul(argv[1], NULL, 10);
	range[1] = (uint32_t)strtoul(argv[2], NULL, 10);
	verbose = argc > 3;
	return cmocka_run_group_tests(given, NULL, NULL);
}
