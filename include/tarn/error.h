/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More about the last failed call than a status says.
 *
 * Naming: everything of this library beyond OpenVINO's C API is tarn_<verb>_<noun> (tarn_save_model), status codes and handles
 * are those of the C API, and the rules of ov_common.h hold.
 */
#ifndef TARN_ERROR_H
#define TARN_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* What a command should exit with after the last failed call of this process: 0 nothing failed, 1 failed while running, 2
 * usage, 3 a model, input or data file is bad, 4 no such device or driver, 5 a limit was not met. */
__attribute__((visibility("default"))) int tarn_last_exit_code(void);

#ifdef __cplusplus
}
#endif
#endif
