/* SPDX-License-Identifier: Apache-2.0 */
/* check: table */
#include "openvino/c/ov_property.h"

#include "openvino/c/auto/properties.h"

/* Programs read these in static initialisers: they are constants of the data section. */
#define KEY(symbol, text) const char *ov_property_key_##symbol = text;
KEY(supported_properties, "SUPPORTED_PROPERTIES")
KEY(available_devices, "AVAILABLE_DEVICES")
KEY(optimal_number_of_infer_requests, "OPTIMAL_NUMBER_OF_INFER_REQUESTS")
KEY(range_for_async_infer_requests, "RANGE_FOR_ASYNC_INFER_REQUESTS")
KEY(range_for_streams, "RANGE_FOR_STREAMS")
KEY(device_full_name, "FULL_DEVICE_NAME")
KEY(device_capabilities, "OPTIMIZATION_CAPABILITIES")
KEY(model_name, "NETWORK_NAME")
KEY(optimal_batch_size, "OPTIMAL_BATCH_SIZE")
KEY(max_batch_size, "MAX_BATCH_SIZE")
KEY(cache_dir, "CACHE_DIR")
KEY(cache_mode, "CACHE_MODE")
KEY(num_streams, "NUM_STREAMS")
KEY(inference_num_threads, "INFERENCE_NUM_THREADS")
KEY(hint_performance_mode, "PERFORMANCE_HINT")
KEY(hint_enable_cpu_pinning, "ENABLE_CPU_PINNING")
KEY(hint_scheduling_core_type, "SCHEDULING_CORE_TYPE")
KEY(hint_enable_hyper_threading, "ENABLE_HYPER_THREADING")
KEY(hint_inference_precision, "INFERENCE_PRECISION_HINT")
KEY(hint_num_requests, "PERFORMANCE_HINT_NUM_REQUESTS")
KEY(hint_model_priority, "MODEL_PRIORITY")
KEY(log_level, "LOG_LEVEL")
KEY(enable_profiling, "PERF_COUNT")
KEY(device_priorities, "MULTI_DEVICE_PRIORITIES")
KEY(hint_execution_mode, "EXECUTION_MODE_HINT")
KEY(force_tbb_terminate, "FORCE_TBB_TERMINATE")
KEY(enable_mmap, "ENABLE_MMAP")
KEY(auto_batch_timeout, "AUTO_BATCH_TIMEOUT")
KEY(cache_encryption_callbacks, "CACHE_ENCRYPTION_CALLBACKS")
KEY(intel_auto_device_bind_buffer, "DEVICE_BIND_BUFFER")
KEY(intel_auto_enable_startup_fallback, "ENABLE_STARTUP_FALLBACK")
KEY(intel_auto_enable_runtime_fallback, "ENABLE_RUNTIME_FALLBACK")
