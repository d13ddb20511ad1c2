/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/data/data.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "fmt/data/files.h"
#include "fmt/npy/npy.h"

struct tarn_dataset {
	char *path;
	char *layout; /* may be NULL */
	tarn_prep_options o;
	size_t skip, count;
	/* images */
	bool images;
	char **name; /* file names below path; NULL: path is the image itself */
	tarn_prep *prep;
	tarn_str full; /* scratch: path of one image */
	/* arrays */
	tarn_tensor t;
	int64_t each; /* elements of one sample */
	/* the target */
	tarn_dtype type;
	int64_t want;
	int rank;
	int64_t dim[TARN_MAX_RANK];
};

static bool is_image(const char *name)
{
	static const char *const ends[] = {".jpg", ".jpeg", ".png", ".bmp"};
	size_t n = strlen(name);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t len = strlen(ends[i]);
		if (n > len && !strcasecmp(name + n - len, ends[i]))
			return true;
	}
	return false;
}

tarn_err tarn_array_read(const char *path, tarn_tensor *t)
{
	tarn_buffer *file;
	TRY(tarn_buffer_map(path, &file));
	const uint8_t *at = file->at;
	tarn_err err;
	if (file->size >= 6 && !memcmp(at, "\x93NUMPY", 6))
		err = tarn_npy_parse_tensor(file, t);
	else if (file->size >= 4 && ((at[0] == 0x1f && at[1] == 0x8b) || (!at[0] && !at[1])))
		err = tarn_idx_parse_tensor(at, file->size, t);
	else
		err = tarn_err_set(TARN_BAD_FILE, "%s",
				   file->size ? "neither npy nor idx(.gz); give one of these, or a folder of images"
					      : "the file is empty");
	tarn_buffer_unref(file);
	return tarn_err_note(err, "in '%s'", path);
}

static tarn_err open_folder(tarn_dataset *d)
{
	size_t n, images = 0;
	TRY(tarn_file_list(d->path, &d->name, &n));
	for (size_t i = 0; i < n; i++)
		if (is_image(d->name[i]))
			d->name[images++] = d->name[i];
	CHECK(images, TARN_BAD_FILE, "%s: no images in this folder (.jpg .jpeg .png .bmp)", d->path);
	d->images = true;
	d->count = images;
	return TARN_OK;
}

static tarn_err open_array(tarn_dataset *d)
{
	TRY(tarn_array_read(d->path, &d->t));
	CHECK(d->t.rank >= 1, TARN_SHAPE, "%s: a single number; the first axis must count samples", d->path);
	CHECK(d->t.type != TARN_STRING, TARN_TYPE, "%s: text is no data for a model", d->path);
	d->count = (size_t)d->t.dim[0];
	d->each = 1;
	for (int i = 1; i < d->t.rank; i++)
		d->each *= d->t.dim[i];
	return TARN_OK;
}

static tarn_err copy_text(const char *s, char **copy)
{
	*copy = s ? tarn_mem_strdup(s) : NULL;
	return s && !*copy ? tarn_err_nomem(strlen(s)) : TARN_OK;
}

tarn_err tarn_dataset_open(const char *path, const tarn_data_options *o, tarn_dataset **out)
{
	tarn_dataset *d = tarn_mem_zalloc(1, sizeof *d);
	if (!d)
		return tarn_err_nomem(sizeof *d);
	tarn_err err;
	d->o = o->prep;
	TRY_GOTO(fail, copy_text(path, &d->path));
	TRY_GOTO(fail, copy_text(o->layout, &d->layout));
	if (tarn_file_is_dir(path)) {
		TRY_GOTO(fail, open_folder(d));
	} else if (is_image(path)) {
		d->images = true;
		d->count = 1;
	} else {
		TRY_GOTO(fail, open_array(d));
	}
	CHECK_GOTO(fail, d->count, TARN_BAD_FILE, "%s has no samples", path);
	CHECK_GOTO(fail, o->skip < d->count, TARN_USAGE, "%s has %zu samples; %zu cannot be skipped", path, d->count, o->skip);
	d->skip = o->skip;
	d->count -= o->skip;
	if (o->first && o->first < d->count)
		d->count = o->first;
	*out = d;
	return TARN_OK;
fail:
	tarn_dataset_close(d);
	return err;
}

void tarn_dataset_close(tarn_dataset *d)
{
	if (!d)
		return;
	tarn_mem_free(d->path);
	tarn_mem_free(d->layout);
	tarn_mem_free(d->name);
	tarn_prep_free(d->prep);
	tarn_str_fini(&d->full);
	tarn_tensor_fini(&d->t);
	tarn_mem_free(d);
}

size_t tarn_dataset_count(const tarn_dataset *d)
{
	return d->count;
}

size_t tarn_dataset_row(const tarn_dataset *d, size_t i)
{
	return d->skip + i;
}

const char *tarn_dataset_file(const tarn_dataset *d, size_t i)
{
	if (!d->images)
		return NULL;
	if (d->name)
		return d->name[d->skip + i];
	const char *slash = strrchr(d->path, '/');
	return slash ? slash + 1 : d->path;
}

void tarn_dataset_name(const tarn_dataset *d, size_t i, tarn_str *s)
{
	if (d->images)
		tarn_str_add(s, tarn_dataset_file(d, i));
	else
		tarn_str_addf(s, "row %zu of %s", d->skip + i, d->path);
}

void tarn_dataset_sample(const tarn_dataset *d, tarn_dtype *type, int *rank, int64_t dim[TARN_MAX_RANK])
{
	*type = d->images ? TARN_U8 : d->t.type;
	*rank = d->images ? 0 : d->t.rank - 1;
	for (int i = 0; i < *rank; i++)
		dim[i] = d->t.dim[i + 1];
}

static tarn_err print_dims(int rank, const int64_t *dim, tarn_str *s)
{
	for (int i = 0; i < rank; i++)
		tarn_str_addf(s, "%s%lld", i ? "," : "", (long long)dim[i]);
	return tarn_str_done(s);
}

tarn_err tarn_data_prep(const tarn_prep_options *o, const char *layout, tarn_dtype type, int rank, const int64_t *dim,
			tarn_prep **prep)
{
	tarn_data_layout l;
	TRY(tarn_data_layout_parse(layout, rank, dim, &l));
	for (int i = 0; i < rank; i++)
		CHECK(i == l.c || i == l.h || i == l.w || dim[i] == 1, TARN_SHAPE,
		      "axis %d of the input is %lld; one image fills 1", i, (long long)dim[i]);
	int64_t h = dim[l.h], w = dim[l.w], c = l.c < 0 ? 1 : dim[l.c];
	CHECK(h > 0 && w > 0 && h <= IMAGE_MAX_SIDE && w <= IMAGE_MAX_SIDE && c > 0 && c <= 3, TARN_SHAPE,
	      "the input takes %lld x %lld pixels of %lld channels; images have 1 or 3 and sides up to %d", (long long)w,
	      (long long)h, (long long)c, IMAGE_MAX_SIDE);
	const tarn_prep_target t = {.type = type, .width = (int)w, .height = (int)h, .channels = (int)c, .nhwc = l.nhwc};
	return tarn_prep_new(o, &t, prep);
}

static tarn_err target_image(tarn_dataset *d, int rank, const int64_t *dim)
{
	tarn_prep *prep;
	TRY(tarn_data_prep(&d->o, d->layout, d->type, rank, dim, &prep));
	tarn_prep_free(d->prep);
	d->prep = prep;
	return TARN_OK;
}

tarn_err tarn_dataset_target(tarn_dataset *d, tarn_dtype type, int rank, const int64_t *dim)
{
	tarn_shape s = tarn_shape_of(rank, dim);
	int64_t n;
	TRY(tarn_shape_count(&s, &n));
	d->type = type;
	d->want = n;
	d->rank = rank;
	memcpy(d->dim, dim, (size_t)rank * sizeof *dim);
	if (d->images)
		return target_image(d, rank, dim);
	if (n != d->each) {
		tarn_str have = {0}, want = {0};
		tarn_err err = print_dims(d->t.rank - 1, d->t.dim + 1, &have);
		if (err == TARN_OK)
			err = print_dims(rank, dim, &want);
		if (err == TARN_OK)
			err = tarn_err_set(TARN_SHAPE, "%s: samples are [%s], the input takes [%s]", d->path,
					   have.at ? have.at : "", want.at ? want.at : "");
		tarn_str_fini(&have);
		tarn_str_fini(&want);
		return err;
	}
	return tarn_err_note(tarn_data_cast(&d->t, 0, 0, type, &n), "in '%s'", d->path);
}

tarn_err tarn_dataset_bytes(const tarn_dataset *d, size_t *bytes)
{
	CHECK(d->type != TARN_DTYPE_NONE, TARN_USAGE, "the data set was not told what the input takes");
	CHECK(tarn_dtype_bytes(d->type, (size_t)d->want, bytes), TARN_SHAPE, "the input is too large");
	return TARN_OK;
}

static tarn_err read_row(const tarn_dataset *d, size_t row, void *dst)
{
	tarn_tensor t = {.type = d->type, .rank = d->rank, .data = dst};
	memcpy(t.dim, d->dim, (size_t)d->rank * sizeof *d->dim);
	TRY(tarn_data_cast(&d->t, (int64_t)row * d->each, d->each, d->type, dst));
	return tarn_data_normalize(&d->o, d->layout, &t);
}

tarn_err tarn_dataset_read(tarn_dataset *d, size_t i, void *dst)
{
	CHECK(i < d->count, TARN_USAGE, "sample %zu of %zu", i, d->count);
	CHECK(d->type != TARN_DTYPE_NONE, TARN_USAGE, "the data set was not told what the input takes");
	if (!d->images)
		return tarn_err_note(read_row(d, d->skip + i, dst), "in row %zu of '%s'", d->skip + i, d->path);
	if (!d->name)
		return tarn_prep_file(d->prep, d->path, dst);
	d->full.len = 0;
	tarn_str_addf(&d->full, "%s/%s", d->path, d->name[d->skip + i]);
	TRY(tarn_str_done(&d->full));
	return tarn_prep_file(d->prep, d->full.at, dst);
}
