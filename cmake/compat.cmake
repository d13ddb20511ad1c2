# SPDX-License-Identifier: Apache-2.0
# lib/tarn/compat: what lets programs written for OpenVINO build unchanged, in a folder of its own so that it shadows no
# installed OpenVINO: PKG_CONFIG_PATH=build/lib/tarn/compat, or cmake -DOpenVINO_DIR=build/lib/tarn/compat.
include(GNUInstallDirs)
set(COMPAT ${CMAKE_BINARY_DIR}/lib/tarn/compat)
file(MAKE_DIRECTORY ${COMPAT})
file(CREATE_LINK ../../libtarn.so ${COMPAT}/libopenvino_c.so SYMBOLIC)
set(COMPAT_LIBDIR ${CMAKE_BINARY_DIR}/lib)
set(COMPAT_INCLUDEDIR ${PROJECT_SOURCE_DIR}/include)
configure_file(${CMAKE_CURRENT_LIST_DIR}/compat/openvino.pc.in ${COMPAT}/openvino.pc @ONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/compat/OpenVINOConfig.cmake.in ${COMPAT}/OpenVINOConfig.cmake @ONLY)

# The same, for the installed tree.
set(COMPAT_LIBDIR ${CMAKE_INSTALL_FULL_LIBDIR})
set(COMPAT_INCLUDEDIR ${CMAKE_INSTALL_FULL_LIBDIR}/tarn/compat/include)
configure_file(${CMAKE_CURRENT_LIST_DIR}/compat/openvino.pc.in ${CMAKE_BINARY_DIR}/compat-installed/openvino.pc @ONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/compat/OpenVINOConfig.cmake.in ${CMAKE_BINARY_DIR}/compat-installed/OpenVINOConfig.cmake @ONLY)
install(DIRECTORY ${CMAKE_BINARY_DIR}/compat-installed/ DESTINATION ${CMAKE_INSTALL_LIBDIR}/tarn/compat)
install(FILES ${COMPAT}/libopenvino_c.so DESTINATION ${CMAKE_INSTALL_LIBDIR}/tarn/compat)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/openvino DESTINATION ${CMAKE_INSTALL_LIBDIR}/tarn/compat/include)
