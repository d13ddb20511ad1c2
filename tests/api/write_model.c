/* SPDX-License-Identifier: Apache-2.0 */
/* write_model FILE DIM...: the small ONNX model y = 2x + 1 on f32 tensors of that shape (-1: free), for tests of the command
 * line. write_model net FILE BATCH: the small classifier of api.h; write_model products FILE SCALE: its two products;
 * write_model running FILE N and write_model cache FILE: models with state. write_model FILE.npy DIM...: an f32 array of that
 * shape holding 0, 1, 2 ..., from 1024 elements on a remainder of 251. */
#include "api.h"

static int write_npy(FILE *f, int rank, const int *dim)
{
	char shape[128] = "", head[256];
	size_t count = 1;
	for (int i = 0; i < rank; i++) {
		snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%d,", dim[i]);
		count *= (size_t)dim[i];
	}
	int n = snprintf(head, sizeof head, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape);
	int pad = 63 - (10 + n) % 64;
	unsigned size = (unsigned)(n + pad + 1);
	fprintf(f, "\x93NUMPY%c%c%c%c%s%*s\n", 1, 0, (int)(size & 255), (int)(size >> 8), head, pad, "");
	for (size_t i = 0; i < count; i++) {
		float v = (float)(count < 1024 ? i : i * 7 % 251);
		fwrite(&v, sizeof v, 1, f);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "net")) {
		bytes m = net_model(atoi(argv[3]));
		FILE *out = fopen(argv[2], "wb");
		return !out || fwrite(m.at, 1, m.n, out) != m.n || fclose(out) ? 1 : 0;
	}
	if (argc == 4 && !strcmp(argv[1], "products")) {
		bytes m = products_model((float)atof(argv[3]));
		FILE *out = fopen(argv[2], "wb");
		return !out || fwrite(m.at, 1, m.n, out) != m.n || fclose(out) ? 1 : 0;
	}
	if (argc == 4 && !strcmp(argv[1], "running")) {
		bytes m = running_model(atoi(argv[3]));
		FILE *out = fopen(argv[2], "wb");
		return !out || fwrite(m.at, 1, m.n, out) != m.n || fclose(out) ? 1 : 0;
	}
	if (argc == 3 && !strcmp(argv[1], "cache")) {
		bytes m = cache_model();
		FILE *out = fopen(argv[2], "wb");
		return !out || fwrite(m.at, 1, m.n, out) != m.n || fclose(out) ? 1 : 0;
	}
	int dim[8], rank = argc - 2;
	FILE *f = argc > 1 ? fopen(argv[1], "wb") : NULL;
	if (!f || rank > 8)
		return 1;
	for (int i = 0; i < rank; i++)
		dim[i] = atoi(argv[i + 2]);
	size_t n = strlen(argv[1]);
	if (n > 4 && !strcmp(argv[1] + n - 4, ".npy"))
		write_npy(f, rank, dim);
	else {
		bytes m = affine_model(rank, dim);
		fwrite(m.at, 1, m.n, f);
	}
	return fclose(f) ? 1 : 0;
}
