/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own version. OpenVINO's ov_get_openvino_version answers for the C API. */
#ifndef TARN_VERSION_H
#define TARN_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

/* "MAJOR.MINOR.PATCH"; static storage. */
const char *tarn_version(void);

#ifdef __cplusplus
}
#endif
#endif
