# The program, and the propagation library for other C++ programs: find_package(sidespan) gives
# sidespan::trace. Two components, `program` and `library`; cpack makes an archive of each.

include(CMakePackageConfigHelpers)

install(TARGETS sidespan RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(FILES conf/sidespan.yaml LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)

install(TARGETS sidespan_base sidespan_trace EXPORT sidespan
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(DIRECTORY include/sidespan/base include/sidespan/trace
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sidespan COMPONENT library)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT library)
install(EXPORT sidespan NAMESPACE sidespan:: FILE sidespan-targets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sidespan COMPONENT library)
if(SIDESPAN_LTO AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # What LTO wrote beside the machine code, only the very same compiler can read; any other refuses
  # to link it.
  install(CODE "
    foreach(room base trace)
      execute_process(COMMAND ${CMAKE_OBJCOPY} --remove-section=.gnu.lto_* --remove-section=.gnu.debuglto_*
        \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/libsidespan_\${room}.a\"
        COMMAND_ERROR_IS_FATAL ANY)
    endforeach()" COMPONENT library)
endif()
file(WRITE ${PROJECT_BINARY_DIR}/sidespan-config.cmake
     "include(\"\${CMAKE_CURRENT_LIST_DIR}/sidespan-targets.cmake\")\n")
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sidespan-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sidespan-config.cmake
              ${PROJECT_BINARY_DIR}/sidespan-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sidespan COMPONENT library)

string(TOLOWER ${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR} platform)
set(CPACK_PACKAGE_CONTACT "sidespan")
set(CPACK_PACKAGE_FILE_NAME sidespan-${PROJECT_VERSION}-${platform})
set(CPACK_GENERATOR TGZ)
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
include(CPack)
