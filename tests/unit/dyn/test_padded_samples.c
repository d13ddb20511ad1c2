/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random graphs over a batch whose samples have lengths of their own: bounded, each row equals the original on that sample
 * alone, or they are refused by name. Without arguments a few hundred of them; `FROM TO` runs these seeds and prints what
 * became of them.
 */
#include "unit/dyn/padded_samples.h"

#include "unit/dyn/random_graph.h"

typedef struct tally {
	long equal, refused, never, steps, wrong;
} tally;

static bool verbose;

/* Rounding may become a step: then the original jumps as far for one of the lengths. */
static bool jumps(const int64_t *len, int64_t count, double e)
{
	bool nan = false;
	for (int64_t s = 0; s < count; s++)
		if (padded_jump(model, spec, (int64_t[]){count, len[s]}, 2, &nan) >= fmin(e, 1) / 10)
			return true;
	return nan;
}

static void compare(const tarn_model *b, uint32_t at, tally *t)
{
	bool ran = false;
	tarn_dim batch;
	assert_ok(tarn_symtab_named(&model->syms, spec[0].name, &batch));
	for (int i = 0; i < 3; i++) {
		int64_t len[SAMPLES_MOST], count = i ? between(1, (int)spec[0].max) : spec[0].max;
		for (int64_t s = 0; s < count; s++)
			len[s] = between(1, (int)spec[1].max);
		double e = samples_error(model, b, spec, batch, count, len);
		ran |= e >= 0;
		if (e <= 1e-4)
			continue;
		if (jumps(len, count, e)) {
			t->steps++;
			return;
		}
		print_error("seed %u, %lld samples: relative error %g\n", at, (long long)count, e);
		if (verbose)
			dump();
		t->wrong++;
		return;
	}
	*(ran ? &t->equal : &t->never) += 1;
}

static void one(uint32_t s, tally *t)
{
	seed = s * 2654435761u + 977;
	for (int i = 0; i < 4; i++)
		(void)number();
	start_samples();
	for (int i = between(1, MOST_STEPS); i >= 0 && n_pool < MAX_VALUES; i--)
		step();
	for (int i = n_pool - 1; i >= 0 && i >= n_pool - 2; i--)
		if (pool[i]->def)
			output(g, pool[i]);
	tarn_model *b = tarn_model_ref(model);
	if (g->output.len && tarn_model_bound_all(&b, spec, 2, NULL) == TARN_OK) {
		compare(b, s, t);
	} else if (g->output.len) {
		bool named = strstr(tarn_err_text(), "node '");
		if (!named || verbose)
			print_error("seed %u: %s\n", s, tarn_err_text());
		assert_true(named);
		t->refused++;
	}
	tarn_model_unref(b);
	tarn_model_unref(model);
	tarn_err_clear();
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
	tally t = run(0, 400);
	assert_int_equal(t.wrong, 0);
	assert_true(t.equal > 80);
}

static uint32_t range[2];

static void given_range(void **state)
{
	(void)state;
	tally t = run(range[0], range[1]);
	printf("%ld equal; %ld refused by name; %ld run at none of the lengths tried; %ld differ where the original jumps\n",
	       t.equal, t.refused, t.never, t.steps);
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
