# For node-gyp and prebuildify; CMakeLists.txt says the same to cmake-js. Flags that change must change in both.
{
  "targets": [
    {
      "target_name": "carillon",
      "sources": [
        "<!@(node -p \"require('fs').readFileSync('native/sources.txt', 'utf8').split(/\\s*\\n/).filter((line) => /^[^#]/.test(line)).map((line) => 'native/' + line).join(' ')\")"
      ],
      "variables": { "node_addon_api": "<!(node -p \"require('path').dirname(require.resolve('node-addon-api'))\")" },
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS", "NDEBUG"],
      # No flag here may name an ISA or relax IEEE-754: see CMakeLists.txt.
      "cflags!": ["-O3", "-fno-omit-frame-pointer"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-O3", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "-std=c++20", "-O2", "-ffp-contract=off", "-fvisibility=hidden", "-fvisibility-inlines-hidden",
        "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-isystem", "<(node_addon_api)"
      ],
      "conditions": [
        ["OS == 'linux'", {
          "ldflags": [
            "-static-libstdc++", "-static-libgcc", "-Wl,-z,nodelete",
            "-Wl,--version-script=<(module_root_dir)/native/exports.map"
          ]
        }],
        ["OS == 'mac'", {
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
            "CLANG_CXX_LIBRARY": "libc++",
            "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
            "GCC_ENABLE_CPP_RTTI": "YES",
            "GCC_OPTIMIZATION_LEVEL": "2",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
            "OTHER_CPLUSPLUSFLAGS": [
              "-ffp-contract=off", "-fvisibility-inlines-hidden", "-Wall", "-Wextra", "-Wconversion", "-Wshadow",
              "-isystem", "<(node_addon_api)"
            ]
          }
        }],
        ["OS == 'win'", {
          # Target regions need clang-cl; cl.exe has none.
          "msbuild_toolset": "ClangCL",
          "include_dirs": ["<(node_addon_api)"],
          "defines": ["NOMINMAX", "_HAS_EXCEPTIONS=1"],
          "msvs_settings": {
            "VCCLCompilerTool": {
              "ExceptionHandling": 1,
              "RuntimeTypeInfo": "true",
              "AdditionalOptions": ["/std:c++20", "/clang:-ffp-contract=off", "-Wextra", "-Wconversion", "-Wshadow"]
            }
          }
        }]
      ]
    }
  ]
}
