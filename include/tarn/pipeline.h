/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live input: a source that gives frames, workers that prepare them, several inferences in flight, results as they come.
 *
 *   fetch (one at a time, in order) -> fill (workers side by side) -> device -> result (one at a time)
 *
 * While fetch, fill and result together are short (half the time between two inferences, or 20 microseconds on a device whose
 * threads compute), the thread that saw an inference end calls them itself, which saves waking a worker. So none of them may
 * wait for another result to be given. Nothing is queued beyond the requests: when all are busy, workers wait, and so does the
 * source. Workers write into the requests' own tensors, which are the device's memory where it has such, so nothing is copied.
 * On a timeline (tarn/profile.h) a request was asked for when its worker began to wait for it, and is prepared from then on.
 * Rules as in <tarn/model.h>.
 */
#ifndef TARN_PIPELINE_H
#define TARN_PIPELINE_H

#include "openvino/c/openvino.h"
#include "tarn/data.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

/* What callbacks answer. */
typedef enum tarn_pipeline_answer {
	TARN_PIPELINE_GO_ON = 0,
	TARN_PIPELINE_END = 1,  /* no more input: what is in flight is finished, and its results are given */
	TARN_PIPELINE_FAIL = 2, /* the same, and the run ends with GENERAL_ERROR and the sentence of the library's last failed
				 * call, or the callback's own */
} tarn_pipeline_answer;

/* Of one inference, in milliseconds of the host's clock. */
typedef struct tarn_pipeline_times {
	double idle;   /* its worker waited for a request that was free */
	double source; /* its worker waited for its turn at the source */
	double fetch;
	double fill;
	double inference; /* from start to callback: waiting for the device, copies, device */
	double held;      /* until its result was given: for results before it, and for a worker */
} tarn_pipeline_times;

/* Zeroed apart from fill: the model's optimum of requests, a worker for each processor that can be used, results as they come.
 */
typedef struct tarn_pipeline_options {
	size_t requests; /* in flight; 0: what the compiled model calls optimal */
	size_t workers;  /* 0: one for each request, at most the processors */
	bool in_order;   /* results come in the order of fetching; a slow inference then holds up those behind it */
	/* `worker` counts from 0 up to workers - 1; no two calls that run at once have the same.
	 * Takes the next input from the source into memory of the worker's. NULL: there is no source that must be read in
	 * order. `ticket` counts from 0 without gaps. */
	tarn_pipeline_answer (*fetch)(void *ctx, size_t worker, size_t ticket);
	/* Makes the inputs of the request. */
	tarn_pipeline_answer (*fill)(void *ctx, size_t worker, size_t ticket, ov_infer_request_t *request);
	/* Looks at the outputs; may be NULL. The request is used again as soon as it returns. */
	tarn_pipeline_answer (*result)(void *ctx, size_t ticket, ov_infer_request_t *request, const tarn_pipeline_times *times);
	void *ctx;
	/* NULL: the pipeline makes its own requests. Else `requests` of the caller's, of that model, idle, with tensors bound
	 * as the caller likes; their callbacks are the pipeline's while it runs, and none afterwards. */
	ov_infer_request_t *const *use;
} tarn_pipeline_options;

typedef struct tarn_pipeline_report {
	size_t requests, workers; /* as they were chosen */
	size_t inferences;
	double seconds;            /* from the first fetch to the last result */
	tarn_pipeline_times total; /* sums over the inferences */
} tarn_pipeline_report;

/* Runs until a callback answers END or FAIL, or an inference fails: then with its status. The report (may be NULL) is filled in
 * any case. Callbacks run on threads of the pipeline, on the caller's and on the device's; none runs after the return. */
TARN_API ov_status_e tarn_run_pipeline(ov_compiled_model_t *compiled_model, const tarn_pipeline_options *options,
				       tarn_pipeline_report *report);

/* ---- preparing one image, for fill ---- */

/* Belongs to one worker at a time. */
typedef struct tarn_preparer tarn_preparer_t;
/* For an input of that type and shape (a batch axis counts 1); options as for data sets, skip and first are not looked at. */
TARN_API ov_status_e tarn_open_preparer(ov_element_type_e type, const ov_shape_t shape, const tarn_data_options_t *options,
					tarn_preparer_t **preparer);
TARN_API void tarn_close_preparer(tarn_preparer_t *preparer);
/* Bytes of the prepared image. */
TARN_API size_t tarn_get_prepared_size(const tarn_preparer_t *preparer);
/* The bytes of a JPEG, PNG or BMP, prepared into dst, which has tarn_get_prepared_size bytes. */
TARN_API ov_status_e tarn_prepare_image(tarn_preparer_t *preparer, const void *bytes, size_t size, void *dst);
/* A raw frame: "nv12", "i420", "yuyv", "rgb24", "bgr24", "gray"; YUV is BT.601 in video range. */
TARN_API ov_status_e tarn_prepare_frame(tarn_preparer_t *preparer, const char *format, int width, int height, const void *bytes,
					size_t size, void *dst);
/* How many bytes such a frame has. */
TARN_API ov_status_e tarn_get_frame_size(const char *format, int width, int height, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
