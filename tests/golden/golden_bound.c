/* SPDX-License-Identifier: Apache-2.0 */
#include "golden_bound.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dev/cpu/cpu.h"
#include "dyn/bound.h"
#include "dyn/fix.h"
#include "pass/pass.h"

enum { MAX_DIMS = 8, MAX_IO = 64, MARGIN = 32 };

typedef struct dims {
	int n;
	char name[MAX_DIMS][300];
	tarn_dim sym[MAX_DIMS];
	int64_t size[MAX_DIMS];
	bool batch[MAX_DIMS];
} dims;

static void find(const tarn_model *m, const tarn_tensor *in, dims *d)
{
	*d = (dims){0};
	for (size_t i = 0; i < m->main->input.len; i++) {
		const tarn_value *v = m->main->input.at[i];
		for (int k = 0; k < v->shape.rank; k++) {
			int at = 0;
			while (at < d->n && d->sym[at] != v->shape.dim[k])
				at++;
			if (v->shape.dim[k] >= 0 || at < d->n || d->n == MAX_DIMS)
				continue;
			const char *word = tarn_sym_get(&m->syms, v->shape.dim[k])->name;
			if (word)
				snprintf(d->name[d->n], sizeof d->name[0], "%s", word);
			else
				snprintf(d->name[d->n], sizeof d->name[0], "%.250s[%d]", v->name, k);
			d->sym[d->n] = v->shape.dim[k];
			d->size[d->n] = in[i].dim[k];
			d->batch[d->n++] = k == 0;
		}
	}
}

/* Those dimensions in `larger`, and the batch, get room; the others become static. */
static tarn_err bound(const tarn_model *m, const dims *d, unsigned larger, tarn_bound_spec *spec, int *n, tarn_model **out)
{
	tarn_model *b;
	TRY(tarn_model_clone(m, &b));
	tarn_err err = TARN_OK;
	*n = 0;
	for (int i = 0; i < d->n && err == TARN_OK; i++)
		if (d->batch[i] || larger >> i & 1)
			spec[(*n)++] = (tarn_bound_spec){.name = d->name[i], .max = d->size[i] + (d->batch[i] ? 1 : MARGIN)};
		else
			err = tarn_model_fix(b, d->name[i], d->size[i]);
	if (err == TARN_OK)
		err = tarn_model_bound_all(&b, spec, *n, NULL);
	if (err != TARN_OK)
		tarn_model_unref(b);
	*out = b;
	return err;
}

static tarn_err widened(const tarn_tensor *t, const tarn_value *v, tarn_tensor *wide)
{
	TRY(tarn_tensor_new(v->type, v->shape.rank, v->shape.dim, wide));
	for (int64_t i = 0; i < tarn_tensor_count(wide); i++)
		if (tarn_dtype_is_float(wide->type))
			tarn_tensor_set_f64(wide, i, NAN);
		else
			tarn_tensor_set_i64(wide, i, 0x7f7f7f7f);
	return tarn_tensor_copy_corner(t, wide);
}

static tarn_err run(tarn_model *b, const tarn_tensor *in, size_t n_in, const int64_t *length, tarn_tensor *out)
{
	tarn_tensor wide[MAX_IO] = {0};
	const tarn_tensor *ptr[MAX_IO];
	tarn_buffer *arena = NULL;
	tarn_pool *pool = NULL;
	cpu_program *p = NULL;
	tarn_err err;
	TRY_GOTO(done, tarn_pass_standard(b));
	TRY_GOTO(done, tarn_cpu_lower(b));
	TRY_GOTO(done, tarn_pass_fuse(b));
	for (size_t i = 0; i < b->main->input.len; i++) {
		ptr[i] = &wide[i];
		if (i < n_in) {
			TRY_GOTO(done, widened(&in[i], b->main->input.at[i], &wide[i]));
			continue;
		}
		TRY_GOTO(done, tarn_tensor_new(TARN_I64, 1, (int64_t[]){1}, &wide[i]));
		*(int64_t *)wide[i].data = length[i - n_in];
	}
	TRY_GOTO(done, tarn_pool_new(2, &pool));
	TRY_GOTO(done, tarn_cpu_program_new(b->main, NULL, NULL, &p));
	TRY_GOTO(done, tarn_cpu_drop_packed(p, b));
	TRY_GOTO(done, tarn_cpu_graph_run(p, pool, &arena, ptr, out, NULL));
done:
	for (int i = 0; i < MAX_IO; i++)
		tarn_tensor_fini(&wide[i]);
	tarn_buffer_unref(arena);
	if (p)
		tarn_cpu_program_free(p);
	if (pool)
		tarn_pool_free(pool);
	return err;
}

tarn_err golden_bound(const tarn_model *m, const tarn_tensor *in, tarn_tensor *out, bool *bounded)
{
	dims d;
	tarn_bound_spec spec[MAX_DIMS];
	int64_t length[MAX_DIMS];
	int n = 0;
	tarn_model *b = NULL;
	tarn_err err = TARN_OK;
	find(m, in, &d);
	*bounded = d.n > 0;
	if (!d.n)
		return TARN_OK;
	for (unsigned larger = (1u << d.n); larger-- > 0;) {
		err = bound(m, &d, larger, spec, &n, &b);
		if (err == TARN_OK)
			break;
	}
	TRY(err);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < d.n; k++)
			if (!strcmp(spec[i].name, d.name[k])) {
				length[i] = d.size[k];
				printf("     %s: %lld of %lld valid\n", spec[i].name, (long long)length[i],
				       (long long)spec[i].max);
			}
	err = run(b, in, m->main->input.len, length, out);
	tarn_model_unref(b);
	return err;
}
