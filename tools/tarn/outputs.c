/* SPDX-License-Identifier: Apache-2.0 */
#include "outputs.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "input.h"
#include "tarn/data.h"
#include "tarn/tensor.h"

int outputs_folder(const char *path)
{
	char at[4096];
	size_t n = strlen(path);
	if (!n || n >= sizeof at)
		return fail(2, "run", "-o '%s' is no folder; give a path", path);
	memcpy(at, path, n + 1);
	for (size_t i = 1; i <= n; i++)
		if (at[i] == '/' || !at[i]) {
			char was = at[i];
			at[i] = 0;
			if (mkdir(at, 0777) && errno != EEXIST)
				return fail(1, "run", "folder %s cannot be made: %s; check the path", at, strerror(errno));
			at[i] = was;
		}
	return 0;
}

/* DIR/NAME.npy; characters that trouble file systems become '_'. Tensors of an IR are often bare numbers, which say nothing as
 * a file name: those become out_95.npy. */
static void output_path(const session *s, const char *name, char *out, size_t size)
{
	size_t len = strlen(s->o->model);
	bool number = *name && !name[strspn(name, "0123456789")];
	bool is_ir = len > 4 && !strcmp(s->o->model + len - 4, ".xml");
	size_t n = (size_t)snprintf(out, size, "%s/%s", s->o->folder, number && is_ir ? "out_" : "");
	static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	for (; *name && n + 5 < size; name++)
		out[n++] = strchr(fine, *name) ? *name : '_';
	snprintf(out + n, size - n, ".npy");
}

static int shape_of(const ov_tensor_t *t, char *text, size_t size)
{
	ov_shape_t s = {0, NULL};
	ov_partial_shape_t p;
	if (ov_tensor_get_shape(t, &s) != OK || ov_shape_to_partial_shape(s, &p) != OK)
		return fail_last("run");
	shape_text(&p, text, size);
	ov_partial_shape_free(&p);
	ov_shape_free(&s);
	return 0;
}

/* Range and mean of an output, for a first look. */
static void summarise(const ov_tensor_t *t, double *least, double *most, double *mean)
{
	ov_tensor_t *d = NULL;
	size_t n = 0;
	void *at;
	*least = *most = *mean = NAN;
	if (tarn_cast_tensor(t, F64, &d) != OK)
		return;
	ov_tensor_get_size(d, &n);
	ov_tensor_data(d, &at);
	double sum = 0;
	for (size_t i = 0; i < n; i++) {
		double v = ((double *)at)[i];
		*least = i && *least <= v ? *least : v;
		*most = i && *most >= v ? *most : v;
		sum += v;
	}
	*mean = n ? sum / (double)n : NAN;
	ov_tensor_free(d);
}

int outputs_show(const session *s, const char *name, const ov_tensor_t *t, json *j)
{
	ov_element_type_e type = DYNAMIC;
	char path[4200] = "", shape[160] = "";
	int code = ov_tensor_get_element_type(t, &type) == OK ? 0 : fail_last("run");
	if (!code)
		code = shape_of(t, shape, sizeof shape);
	if (!code && s->o->folder) {
		output_path(s, name, path, sizeof path);
		if (tarn_write_npy(path, t) != OK)
			code = fail_last("run");
	}
	double least, most, mean;
	if (!code)
		summarise(t, &least, &most, &mean);
	if (!code && j) {
		json_begin(j, NULL, '{');
		json_text(j, "name", name);
		json_text(j, "type", type_text(type));
		json_text(j, "shape", shape);
		json_text(j, "file", *path ? path : NULL);
		json_num(j, "min", least);
		json_num(j, "max", most);
		json_num(j, "mean", mean);
		json_end(j, '}');
	} else if (!code) {
		printf("%s %s%s: min %.6g, max %.6g, mean %.6g%s%s\n", name, type_text(type), shape, least, most, mean,
		       *path ? " -> " : "", path);
	}
	return code;
}
