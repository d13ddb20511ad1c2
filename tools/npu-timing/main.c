/* SPDX-License-Identifier: Apache-2.0 */
/* npu-timing: the timing model by itself, for checking it against measured tables. */
#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "predict.h"
#include "timing/timing.h"

static const char usage[] =
	"usage: npu-timing predict FILE.csv    one prediction per row, in file order\n"
	"       npu-timing arch                the numbers of each NPU, with their sources, and the error bands\n"
	"       npu-timing help\n"
	"\n"
	"FILE.csv names its columns in the first line; order does not matter, other columns are ignored.\n"
	"  DPU workloads (prints DPU clock cycles):\n"
	"    device op dtype_in in_w in_h in_c out_w out_h out_c kw kh sw sh\n"
	"    optional: dtype_wt dtype_out pad_t pad_b pad_l pad_r mpe_mode output_write_tiles\n"
	"              act_sparsity_enabled wt_sparsity_enabled act_sparsity wt_sparsity\n"
	"    Without mpe_mode the best mode is taken.\n"
	"  DMA transfers (prints microseconds, one engine):\n"
	"    device direction bytes\n"
	"  device: VPU_2_7 or 3720, VPU_4_0 or 4000\n"
	"\n"
	"All predictions are modelled. Exit codes: 0 done, 2 usage, 3 the file is bad.\n"
	"example: printf 'device,direction,bytes\\n4000,DDR2CMX,65536\\n' > dma.csv && npu-timing predict dma.csv\n";

static int fail(tarn_err err)
{
	fprintf(stderr, "npu-timing: %s\n", tarn_err_text());
	return tarn_err_exit_code(err);
}

static int run_predict(const char *path)
{
	csv c = {0};
	tarn_str out = {0};
	int code = 0;
	tarn_err err = csv_open(path, &c);
	if (err == TARN_OK)
		err = predict(&c, &out);
	if (err != TARN_OK)
		code = fail(err);
	else if (out.len > 0 && fwrite(out.at, 1, out.len, stdout) != out.len)
		code = 1;
	tarn_str_fini(&out);
	csv_close(&c);
	return code;
}

static int run_arch(void)
{
	const tarn_arch *a = tarn_arch_at(0), *b = tarn_arch_at(1);
	printf("%-20s %-14s %12s %-13s %12s %-13s %s\n", "number", "unit", a->name, "source", b->name, "source", "note");
	const tarn_arch_row *r;
	for (size_t i = 0; (r = tarn_arch_row_at(i)) != NULL; i++)
		printf("%-20s %-14s %12.10g %-13s %12.10g %-13s %s\n", r->field, r->unit, r->value[0],
		       tarn_arch_source_name(r->source[0]), r->value[1], tarn_arch_source_name(r->source[1]), r->note);
	printf("\n%-26s %8s: %6s %6s %6s %-13s %8s: %6s %6s %6s %s\n", "modelled figures", a->name, "median", "p90", "rows",
	       "source", b->name, "median", "p90", "rows", "source");
	for (int c = 0; c < TARN_TIMING_CLASS_COUNT; c++) {
		const tarn_timing_band *x = tarn_timing_band_get(a, (tarn_timing_class)c),
				       *y = tarn_timing_band_get(b, (tarn_timing_class)c);
		printf("%-26s %8s  %5.1f%% %5.1f%% %6d %-13s %8s  %5.1f%% %5.1f%% %6d %s\n",
		       tarn_timing_class_name((tarn_timing_class)c), "", 100 * x->median, 100 * x->p90, x->rows,
		       tarn_arch_source_name(x->source), "", 100 * y->median, 100 * y->p90, y->rows,
		       tarn_arch_source_name(y->source));
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "";
	int code = 2;
	if (argc == 3 && strcmp(cmd, "predict") == 0)
		code = run_predict(argv[2]);
	else if (argc == 2 && strcmp(cmd, "arch") == 0)
		code = run_arch();
	else if (argc == 2 && (strcmp(cmd, "help") == 0 || strcmp(cmd, "--help") == 0 || strcmp(cmd, "-h") == 0))
		code = fputs(usage, stdout) < 0;
	else if (argc == 1)
		fputs(usage, stderr);
	else
		fprintf(stderr, "npu-timing: '%s' with %d arguments is no command; run npu-timing help\n", cmd, argc - 2);
	if (fflush(stdout) != 0) {
		fputs("npu-timing: the output could not be written; check where it goes\n", stderr);
		code = 1;
	}
	return code;
}
