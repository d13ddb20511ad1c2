/* SPDX-License-Identifier: Apache-2.0 */
/* One image or frame into a model's input. */
#include "api/data.h"
#include "api/handles.h"
#include "base/mem.h"
#include "tarn/pipeline.h"

struct tarn_preparer {
	tarn_prep *prep;
	size_t bytes; /* of the prepared image */
};

static tarn_err open_preparer(ov_element_type_e type, const ov_shape_t *shape, const tarn_data_options_t *options,
			      tarn_preparer_t **out)
{
	tarn_data_options o;
	tarn_dtype t;
	int64_t dim[TARN_MAX_RANK], n;
	TRY(tarn_data_options_of(options, &o));
	TRY(tarn_dtype_of_ov(type, &t));
	TRY(tarn_shape_of_ov(shape, dim));
	const tarn_shape s = tarn_shape_of((int)shape->rank, dim);
	TRY(tarn_shape_count(&s, &n));
	tarn_preparer_t *p = tarn_mem_zalloc(1, sizeof *p);
	if (!p)
		return tarn_err_nomem(sizeof *p);
	tarn_err err = tarn_dtype_bytes(t, (size_t)n, &p->bytes) ? TARN_OK : tarn_err_set(TARN_SHAPE, "the input is too large");
	if (!err)
		err = tarn_data_prep(&o.prep, o.layout, t, (int)shape->rank, dim, &p->prep);
	if (err)
		tarn_close_preparer(p);
	else
		*out = p;
	return err;
}

ov_status_e tarn_open_preparer(ov_element_type_e type, const ov_shape_t shape, const tarn_data_options_t *options,
			       tarn_preparer_t **preparer)
{
	NEED(preparer && (shape.dims || !shape.rank));
	return tarn_status(open_preparer(type, &shape, options, preparer));
}

void tarn_close_preparer(tarn_preparer_t *preparer)
{
	if (preparer)
		tarn_prep_free(preparer->prep);
	tarn_mem_free(preparer);
}

size_t tarn_get_prepared_size(const tarn_preparer_t *preparer)
{
	return preparer ? preparer->bytes : 0;
}

ov_status_e tarn_prepare_image(tarn_preparer_t *preparer, const void *bytes, size_t size, void *dst)
{
	NEED(preparer && bytes && dst);
	return tarn_status(tarn_prep_bytes(preparer->prep, bytes, size, dst));
}

static tarn_err prepare_frame(tarn_preparer_t *p, const char *format, int width, int height, const void *bytes, size_t size,
			      void *dst)
{
	tarn_frame_format f;
	TRY(tarn_frame_parse(format, &f));
	return tarn_prep_frame(p->prep, f, width, height, bytes, size, dst);
}

ov_status_e tarn_prepare_frame(tarn_preparer_t *preparer, const char *format, int width, int height, const void *bytes,
			       size_t size, void *dst)
{
	NEED(preparer && format && bytes && dst);
	return tarn_status(prepare_frame(preparer, format, width, height, bytes, size, dst));
}

static tarn_err frame_size(const char *format, int width, int height, size_t *bytes)
{
	tarn_frame_format f;
	TRY(tarn_frame_parse(format, &f));
	return tarn_frame_bytes(f, width, height, bytes);
}

ov_status_e tarn_get_frame_size(const char *format, int width, int height, size_t *bytes)
{
	NEED(format && bytes);
	return tarn_status(frame_size(format, width, height, bytes));
}
