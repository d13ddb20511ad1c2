/* SPDX-License-Identifier: Apache-2.0 */
/* f32 transposed convolution whose kernel is as large as its stride, channels-last: no two inputs meet in an output. A row of
 * the input times the weights of one kernel row, [ic][kw * oc], is a whole row of the output. */
#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "kern/share.h"
#include "ops/ops.h"
#include "ops/window.h"

typedef struct upscale_state {
	int64_t ic, row; /* channels of an input pixel, floats that it makes in each output row */
	int kh;
	tarn_epilogue epilogue;
	bool has_residual;
	tarn_gemm_f32 *line[]; /* [kh] */
} upscale_state;

static void state_free(void *state)
{
	upscale_state *s = state;
	for (int i = 0; i < s->kh; i++)
		tarn_share_drop(s->line[i]);
	tarn_mem_free(s);
}

static bool zeros(const int64_t *v, int n)
{
	for (int i = 0; i < n; i++)
		if (v[i])
			return false;
	return true;
}

static bool suits(const tarn_node *n, tarn_window *win)
{
	const tarn_value *w = n->n_in > 1 ? n->in[1] : NULL, *b = n->n_in > 2 ? n->in[2] : NULL;
	if (n->op != tarn_op_find(NULL, "ConvTranspose") || n->in[0]->type != TARN_F32 || !w || !w->konst ||
	    w->type != TARN_F32 || (w->konst->rank != 3 && w->konst->rank != 4) || (b && !b->konst) ||
	    tarn_attr_i(n, tarn_attr_index(n->op, "group")) != 1)
		return false;
	const tarn_attr *shape = &n->attr[tarn_attr_index(n->op, "output_shape")],
			*more = &n->attr[tarn_attr_index(n->op, "output_padding")];
	int spatial = w->konst->rank - 2;
	if ((shape->set && shape->ints.n) || (more->set && !zeros(more->ints.at, more->ints.n)) ||
	    tarn_window_read(n, spatial, w->konst->dim + 2, win) != TARN_OK || win->auto_pad != TARN_PAD_NOTSET ||
	    !zeros(win->begin, spatial) || !zeros(win->end, spatial))
		return false;
	for (int i = 0; i < spatial; i++)
		if (win->kernel[i] != win->stride[i] || win->dilation[i] != 1 || win->kernel[i] > 64)
			return false;
	return tarn_tensor_count(w->konst) > 0;
}

/* Weights [ic][oc][kh][kw] -> for each kernel row [ic][kw][oc]. */
static tarn_err pack(tarn_packs *packs, const tarn_node *n, int kw, upscale_state *s)
{
	const tarn_tensor *w = n->in[1]->konst, *b = n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	int64_t oc = w->dim[1];
	float *turned = tarn_mem_zalloc((size_t)(s->ic * s->row), sizeof *turned),
	      *bias = tarn_mem_zalloc((size_t)s->row, sizeof *bias);
	tarn_err err = turned && bias ? TARN_OK : tarn_err_nomem((size_t)(s->ic * s->row) * sizeof *turned);
	for (int64_t i = 0; err == TARN_OK && b && i < s->row; i++)
		bias[i] = ((const float *)b->data)[i % oc];
	for (int ky = 0; err == TARN_OK && ky < s->kh; ky++) {
		const float *from = w->data;
		for (int64_t i = 0; i < s->ic * oc; i++)
			for (int kx = 0; kx < kw; kx++)
				turned[i / oc * s->row + kx * oc + i % oc] = from[(i * s->kh + ky) * kw + kx];
		err = tarn_share_gemm(packs, (size_t)s->ic, (size_t)s->row, turned, (size_t)s->row, false, bias, &s->line[ky]);
	}
	tarn_mem_free(turned);
	tarn_mem_free(bias);
	return err;
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	tarn_window win;
	if (!suits(n, &win))
		return TARN_OK;
	const tarn_tensor *w = n->in[1]->konst, *bias = n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	int spatial = w->rank - 2, kh = spatial == 2 ? (int)win.kernel[0] : 1, kw = (int)win.kernel[spatial - 1];
	CHECK(!bias || tarn_tensor_count(bias) == w->dim[1], TARN_SHAPE,
	      "the bias has %lld elements, the weights %lld output channels", (long long)tarn_tensor_count(bias),
	      (long long)w->dim[1]);
	upscale_state *s = tarn_mem_zalloc(1, sizeof *s + (size_t)kh * sizeof *s->line);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	s->ic = w->dim[0];
	s->row = w->dim[1] * kw;
	s->kh = kh;
	s->epilogue = g->epilogue;
	s->has_residual = g->residual;
	int in[2] = {-1, -1}, out;
	tarn_err err;
	TRY_GOTO(out, pack(b->packs, n, kw, s));
	TRY_GOTO(out, tarn_cpu_want(b, n->in[0], CPU_NHWC, &in[0]));
	if (g->residual)
		TRY_GOTO(out, tarn_cpu_want(b, g->residual, CPU_NHWC, &in[1]));
	TRY_GOTO(out, tarn_cpu_give(b, g->last->out[0], CPU_NHWC, &out));
	int in_place = g->residual && !g->epilogue.residual_after ? 1 : -1;
	TRY_GOTO(out, tarn_cpu_step_new(b, &tarn_cpu_k_upscale, g, in, 2, &out, 1, s, in_place));
	*taken = true;
	s = NULL;
out:
	if (s)
		state_free(s);
	return err;
}

typedef struct upscale_job {
	const upscale_state *s;
	const float *in, *residual;
	float *out;
	int64_t width; /* pixels of an input row */
} upscale_job;

/* Output rows. */
static void work(void *arg, int64_t begin, int64_t end)
{
	const upscale_job *j = arg;
	const upscale_state *s = j->s;
	for (int64_t y = begin; y < end; y++) {
		const tarn_gemm_f32 *w = s->line[y % s->kh];
		int64_t at = y * j->width * s->row;
		tarn_gemm_f32_args a = {.m = (size_t)j->width,
					.a = j->in + y / s->kh * j->width * s->ic,
					.lda = (size_t)s->ic,
					.c = j->out + at,
					.ldc = (size_t)s->row,
					.residual = j->residual ? j->residual + at : NULL,
					.ldr = (size_t)s->row,
					.epilogue = s->epilogue};
		tarn_gemm_f32_run(w, &a, 0, tarn_gemm_f32_tasks(w, a.m));
	}
}

static tarn_err run(cpu_run *r, const cpu_step *step, void *plan)
{
	(void)plan;
	const upscale_state *s = step->state;
	const tarn_shape *x = &tarn_cpu_val(r->inst, r->p, step->in[0])->shape;
	int64_t rows = x->dim[0] * (x->rank == 4 ? x->dim[2] : 1);
	upscale_job j = {s, r->ptr[step->in[0]], s->has_residual ? r->ptr[step->in[1]] : NULL, r->ptr[step->out[0]],
			 x->dim[x->rank - 1]};
	tarn_cpu_split_work(r->pool, rows * s->kh, rows * s->kh * j.width * s->ic * s->row, work, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_upscale = {
	.name = "f32 transposed convolution by rows", .build = build, .run = run, .state_free = state_free};
