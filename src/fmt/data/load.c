/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts, and one file for one input. */
#include <string.h>

#include "base/file.h"
#include "fmt/data/files.h"
#include "fmt/npy/npy.h"

static tarn_err parse_text(const char *text, size_t n, int rank, tarn_data_layout *l)
{
	int axis[128];
	for (int i = 0; i < 128; i++)
		axis[i] = -1;
	CHECK(n == (size_t)rank, TARN_SHAPE, "layout '%.*s' has %zu letters, the input %d axes", (int)n, text, n, rank);
	for (size_t i = 0; i < n; i++) {
		char c = text[i] & 0x5f; /* upper case */
		CHECK(c && strchr("NCHWD", c) && axis[(int)c] < 0, TARN_SHAPE,
		      "layout '%.*s': the letters are N, C, H and W, each once", (int)n, text);
		axis[(int)c] = (int)i;
	}
	*l = (tarn_data_layout){axis['C'], axis['H'], axis['W'], axis['C'] > axis['W']};
	bool plane = l->h >= 0 && l->w == l->h + 1, beside = l->c < 0 || l->c == l->h - 1 || l->c == l->w + 1;
	CHECK(plane && beside, TARN_UNSUPPORTED, "layout '%.*s': images are written as CHW or HWC, one after the other", (int)n,
	      text);
	return TARN_OK;
}

tarn_err tarn_data_layout_parse(const char *text, int rank, const int64_t *dim, tarn_data_layout *l)
{
	if (text) {
		/* "name[NCHW]" and "[NCHW]" name the layout inside the brackets. */
		const char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;
		return close ? parse_text(open + 1, (size_t)(close - open - 1), rank, l)
			     : parse_text(text, strlen(text), rank, l);
	}
	if (rank == 2) {
		*l = (tarn_data_layout){-1, 0, 1, false};
		return TARN_OK;
	}
	if (rank == 3 || rank == 4) {
		int first = rank - 3, last = rank - 1;
		if (dim[first] == 1 || dim[first] == 3) {
			*l = (tarn_data_layout){first, first + 1, last, false};
			return TARN_OK;
		}
		if (dim[last] == 1 || dim[last] == 3) {
			*l = (tarn_data_layout){last, first, first + 1, true};
			return TARN_OK;
		}
	}
	return tarn_err_set(TARN_SHAPE,
			    "an image does not fit an input of %d axes whose sizes do not tell channels; give -layout", rank);
}

/* Images: free axes become the image's own height and width, or the crop's; a free batch 1; free channels three. */
static tarn_err load_image(const char *path, tarn_dtype type, int rank, const int64_t *dim, const tarn_data_options *o,
			   tarn_tensor *t)
{
	int64_t size[TARN_MAX_RANK];
	tarn_data_layout l;
	memcpy(size, dim, (size_t)rank * sizeof *size);
	TRY(tarn_data_layout_parse(o->layout, rank, dim, &l));
	if (l.c >= 0 && size[l.c] < 0)
		size[l.c] = o->prep.color == TARN_COLOR_GRAY ? 1 : 3;
	if (size[l.h] < 0 || size[l.w] < 0) {
		tarn_image img = {0};
		tarn_err err = tarn_image_read(path, 1, 0, &img);
		int w = img.width, h = img.height, side = o->prep.resize;
		tarn_image_fini(&img);
		TRY(err);
		int64_t rw = !side   ? w
			     : w < h ? side
				     : (int64_t)side * w / h,
			rh = !side   ? h
			     : w < h ? (int64_t)side * h / w
				     : side;
		if (size[l.h] < 0)
			size[l.h] = o->prep.crop_height ? o->prep.crop_height : rh;
		if (size[l.w] < 0)
			size[l.w] = o->prep.crop_width ? o->prep.crop_width : rw;
	}
	for (int i = 0; i < rank; i++)
		if (size[i] < 0)
			size[i] = 1;
	tarn_dataset *d;
	tarn_tensor r = {0};
	TRY(tarn_dataset_open(path, &(tarn_data_options){.layout = o->layout, .prep = o->prep}, &d));
	tarn_err err;
	TRY_GOTO(out, tarn_err_note(tarn_dataset_target(d, type, rank, size), "in '%s'", path));
	TRY_GOTO(out, tarn_tensor_new(type, rank, size, &r));
	TRY_GOTO(out, tarn_dataset_read(d, 0, r.data));
	*t = r;
	r = (tarn_tensor){0};
out:
	tarn_tensor_fini(&r);
	tarn_dataset_close(d);
	return err;
}

/* The data's sizes where the input's are free, else the input's when the number of elements is right. */
static tarn_err fit_sizes(const char *path, const tarn_tensor *from, int rank, const int64_t *dim, int64_t *size)
{
	int64_t known = 1, have = tarn_tensor_count(from);
	int n_free = 0, free_axis = 0;
	bool same = from->rank == rank;
	for (int i = 0; i < rank; i++) {
		same = same && (dim[i] < 0 || dim[i] == from->dim[i]);
		if (dim[i] < 0)
			n_free++, free_axis = i;
		else
			known *= dim[i];
	}
	memcpy(size, same ? from->dim : dim, (size_t)rank * sizeof *size);
	if (same)
		return TARN_OK;
	bool fits = n_free == 0 ? known == have : n_free == 1 && known > 0 && have % known == 0;
	if (fits) {
		if (n_free)
			size[free_axis] = have / known;
		return TARN_OK;
	}
	tarn_str s = {0};
	for (int i = 0; i < from->rank; i++)
		tarn_str_addf(&s, "%s%lld", i ? "," : "[", (long long)from->dim[i]);
	tarn_str_add(&s, from->rank ? "] does not fit [" : "a single number does not fit [");
	for (int i = 0; i < rank; i++)
		tarn_str_addf(&s, dim[i] < 0 ? "%s?" : "%s%lld", i ? "," : "", (long long)dim[i]);
	TRY(tarn_str_done(&s));
	tarn_err err = tarn_err_set(TARN_SHAPE, "%s: %s], the input's shape", path, s.at);
	tarn_str_fini(&s);
	return err;
}

/* `sound`: a WAV file in memory; NULL: the file is an array. */
static tarn_err load_array(const char *path, const tarn_file_map *sound, tarn_dtype type, int rank, const int64_t *dim,
			   const tarn_data_options *o, tarn_tensor *t)
{
	tarn_tensor from, r = {0};
	int64_t size[TARN_MAX_RANK];
	tarn_err err;
	if (sound)
		TRY(tarn_err_note(tarn_wav_parse_tensor(sound->at, sound->size, &from), "in '%s'", path));
	else
		TRY(tarn_array_read(path, &from));
	TRY_GOTO(out, fit_sizes(path, &from, rank, dim, size));
	TRY_GOTO(out, tarn_tensor_new(type, rank, size, &r));
	TRY_GOTO(out, tarn_err_note(tarn_data_cast(&from, 0, tarn_tensor_count(&from), type, r.data), "in '%s'", path));
	TRY_GOTO(out, tarn_err_note(tarn_data_normalize(&o->prep, o->layout, &r), "in '%s'", path));
	*t = r;
	r = (tarn_tensor){0};
out:
	tarn_tensor_fini(&r);
	tarn_tensor_fini(&from);
	return err;
}

static tarn_err load_raw(const char *path, const tarn_file_map *map, tarn_dtype type, int rank, const int64_t *dim,
			 tarn_tensor *t)
{
	CHECK(map->size, TARN_BAD_FILE, "%s: the file is empty; check where it comes from", path);
	CHECK(!tarn_str_ends_with(path, ".npy"), TARN_BAD_FILE,
	      "%s: no npy file, whatever its name says; save it with numpy.save", path);
	for (int i = 0; i < rank; i++)
		CHECK(dim[i] >= 0, TARN_SHAPE, "%s: raw bytes need an input without free sizes; give -shape or an npy", path);
	CHECK(type != TARN_STRING, TARN_TYPE, "%s: raw bytes cannot fill an input of text", path);
	tarn_tensor r;
	TRY(tarn_tensor_new(type, rank, dim, &r));
	size_t need = tarn_tensor_bytes(&r);
	if (need == map->size) {
		if (need)
			memcpy(r.data, map->at, need);
		*t = r;
		return TARN_OK;
	}
	tarn_tensor_fini(&r);
	return tarn_err_set(TARN_SHAPE, "%s: %zu raw bytes, the input takes %zu", path, map->size, need);
}

tarn_err tarn_data_load(const char *path, tarn_dtype type, int rank, const int64_t *dim, const tarn_data_options *o,
			tarn_tensor *t)
{
	CHECK(rank >= 0 && rank <= TARN_MAX_RANK, TARN_SHAPE, "the input's rank is not known; give -shape");
	tarn_file_map map;
	TRY(tarn_file_map_open(path, &map));
	bool image = tarn_image_probe(map.at, map.size), npy = map.size >= 6 && !memcmp(map.at, "\x93NUMPY", 6);
	bool idx = tarn_str_ends_with(path, ".gz") || tarn_str_ends_with(path, "-ubyte") || tarn_str_ends_with(path, ".idx");
	tarn_err err;
	/* An image can only be one where the input has a height and a width; the name's ending settles what bytes leave open.
	 */
	if (image && !tarn_str_ends_with(path, ".bin") && !tarn_str_ends_with(path, ".raw"))
		err = load_image(path, type, rank, dim, o, t);
	else if (npy || idx)
		err = load_array(path, NULL, type, rank, dim, o, t);
	else if (tarn_wav_probe(map.at, map.size) && !tarn_str_ends_with(path, ".bin") && !tarn_str_ends_with(path, ".raw"))
		err = load_array(path, &map, type, rank, dim, o, t);
	else
		err = load_raw(path, &map, type, rank, dim, t);
	tarn_file_map_close(&map);
	return err;
}
