/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/gemm.h"

#include <string.h>

#include "base/mem.h"
#include "kern/panel.h"

#define BLOCK_ROWS 512 /* row pointers of a task, on the stack */

struct tarn_gemm_f32 {
	tarn_panels b;
};

tarn_err tarn_gemm_f32_open(size_t k, size_t n, tarn_store *from, tarn_gemm_f32 **gemm)
{
	tarn_gemm_f32 *g = tarn_mem_zalloc(1, sizeof *g);
	if (!g)
		return tarn_err_nomem(sizeof *g);
	tarn_err err = tarn_panels_init(k, n, from, &g->b);
	if (err != TARN_OK)
		tarn_mem_free(g);
	else
		*gemm = g;
	return err;
}

tarn_err tarn_gemm_f32_pack(size_t k, size_t n, const float *b, size_t ldb, bool transposed, const float *bias,
			    tarn_gemm_f32 **gemm)
{
	tarn_gemm_f32 *g = NULL;
	TRY(tarn_gemm_f32_open(k, n, NULL, &g));
	if (transposed) {
		for (int p = 0; p < g->b.count; p++) {
			float *w;
			size_t col;
			(void)tarn_panel_cols(&g->b, p, &col, &w);
			tarn_panels_set_columns(&g->b, p, b + col * ldb, ldb);
		}
	} else {
		tarn_panels_set_rows(&g->b, b, ldb);
	}
	if (bias)
		memcpy(g->b.bias, bias, n * sizeof(float));
	*gemm = g;
	return TARN_OK;
}

void tarn_gemm_f32_free(tarn_gemm_f32 *gemm)
{
	if (!gemm)
		return;
	tarn_panels_fini(&gemm->b);
	tarn_mem_free(gemm);
}

void tarn_gemm_f32_save(const tarn_gemm_f32 *gemm, tarn_str *out)
{
	tarn_panels_save(&gemm->b, out);
}

size_t tarn_gemm_f32_bytes(const tarn_gemm_f32 *gemm)
{
	const tarn_panels *b = &gemm->b;
	return sizeof *gemm + (size_t)b->vectors * (size_t)b->set->lanes * (b->k + 1) * sizeof(float);
}

static tarn_grid grid_of(const tarn_gemm_f32 *gemm, size_t m)
{
	tarn_grid g;
	tarn_grid_init(&gemm->b, m, gemm->b.k * sizeof(float), BLOCK_ROWS, gemm->b.count, &g);
	return g;
}

int tarn_gemm_f32_tasks(const tarn_gemm_f32 *gemm, size_t m)
{
	tarn_grid g = grid_of(gemm, m);
	return m ? g.blocks * g.panels : 0;
}

void tarn_gemm_f32_run(const tarn_gemm_f32 *gemm, const tarn_gemm_f32_args *args, int begin, int end)
{
	const float *rows[BLOCK_ROWS];
	tarn_grid g = grid_of(gemm, args->m);
	tarn_panel_job job = {.b = &gemm->b,
			      .epilogue = &args->epilogue,
			      .a = rows,
			      .taps = 1,
			      .depth = gemm->b.k,
			      .c = args->c,
			      .ldc = args->ldc,
			      .res = args->residual,
			      .ldr = args->ldr};
	for (int task = begin; task < end; task++) {
		size_t t0, t1;
		int panel;
		tarn_grid_task(&g, task, &t0, &t1, &panel);
		size_t r0 = tarn_tile_row(&g, t0), r1 = tarn_tile_row(&g, t1);
		for (size_t r = r0; r < r1; r++)
			rows[r - r0] = args->a + r * args->lda;
		tarn_panel_run(&job, &g, t0, t1, panel);
	}
}
