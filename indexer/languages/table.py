"""The languages Ondol knows: file names, the module that carries each grammar, and the nodes that open a scope.

This module is data; ``grammars`` finds a file's language and loads its grammar.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    :param extensions: file endings with their dot, lower case.
    :param file_names: whole file names, as they are written.
    :param module: the Python module that carries the grammar, or None for a language without one.
    :param function: the function of ``module`` that returns the grammar.
    :param definitions: the grammar's node kinds whose first lines name a scope (class, function, module, section).
    :param editor_ids: the LSP ``languageId`` names that mean this language, beyond its own name.
    """

    name: str
    extensions: tuple[str, ...]
    file_names: tuple[str, ...] = ()
    module: str | None = None
    function: str = "language"
    definitions: tuple[str, ...] = ()
    editor_ids: tuple[str, ...] = ()


def _kinds(names: str) -> tuple[str, ...]:
    return tuple(names.split())


_ECMA = _kinds(
    "class_declaration class function_declaration generator_function_declaration function_expression method_definition"
)
_TYPED_ECMA = (
    *_ECMA,
    *_kinds("abstract_class_declaration interface_declaration enum_declaration module internal_module"),
)
_C_SCOPES = ("function_definition", "struct_specifier", "union_specifier", "enum_specifier")
_SYSTEMVERILOG_SCOPES = _kinds(
    "module_declaration interface_declaration program_declaration package_declaration checker_declaration "
    "class_declaration interface_class_declaration class_constructor_declaration function_declaration "
    "task_declaration function_body_declaration task_body_declaration covergroup_declaration "
    "property_declaration sequence_declaration always_construct initial_construct final_construct "
    "loop_generate_construct conditional_generate_construct"
)


def _table(*languages: Language) -> dict[str, Language]:
    return {language.name: language for language in languages}


LANGUAGES: dict[str, Language] = _table(
    Language(
        "python",
        (".py", ".pyi", ".pyw"),
        ("SConstruct", "SConscript", "wscript"),
        "tree_sitter_python",
        definitions=("class_definition", "function_definition"),
    ),
    Language(
        "javascript",
        (".js", ".jsx", ".mjs", ".cjs"),
        ("Jakefile",),
        "tree_sitter_javascript",
        definitions=_ECMA,
        editor_ids=("javascriptreact",),
    ),
    Language(
        "typescript",
        (".ts", ".mts", ".cts"),
        module="tree_sitter_typescript",
        function="language_typescript",
        definitions=_TYPED_ECMA,
    ),
    Language(
        "tsx",
        (".tsx",),
        module="tree_sitter_typescript",
        function="language_tsx",
        definitions=_TYPED_ECMA,
        editor_ids=("typescriptreact",),
    ),
    Language(
        "java",
        (".java",),
        module="tree_sitter_java",
        definitions=_kinds(
            "class_declaration interface_declaration enum_declaration record_declaration "
            "annotation_type_declaration method_declaration constructor_declaration "
            "compact_constructor_declaration"
        ),
    ),
    Language(
        "kotlin",
        (".kt", ".kts"),
        module="tree_sitter_kotlin",
        definitions=("class_declaration", "object_declaration", "companion_object", "function_declaration"),
    ),
    Language(
        "scala",
        (".scala", ".sc", ".sbt"),
        module="tree_sitter_scala",
        definitions=_kinds(
            "class_definition object_definition trait_definition enum_definition function_definition "
            "package_object extension_definition given_definition"
        ),
    ),
    Language(
        "c",
        (".c", ".h"),
        module="tree_sitter_c",
        definitions=_C_SCOPES,
    ),
    Language(
        "cpp",
        (".cc", ".cpp", ".cxx", ".c++", ".hh", ".hpp", ".hxx", ".h++", ".ipp", ".inl", ".tpp", ".cu", ".cuh"),
        module="tree_sitter_cpp",
        definitions=(*_C_SCOPES, "class_specifier", "namespace_definition"),
        editor_ids=("cuda-cpp",),
    ),
    Language(
        "csharp",
        (".cs", ".csx"),
        module="tree_sitter_c_sharp",
        definitions=_kinds(
            "namespace_declaration class_declaration struct_declaration interface_declaration "
            "enum_declaration record_declaration method_declaration constructor_declaration "
            "destructor_declaration operator_declaration property_declaration local_function_statement"
        ),
    ),
    Language(
        "go",
        (".go",),
        module="tree_sitter_go",
        definitions=("function_declaration", "method_declaration", "type_declaration"),
    ),
    Language(
        "rust",
        (".rs",),
        module="tree_sitter_rust",
        definitions=_kinds(
            "function_item impl_item trait_item mod_item struct_item enum_item union_item "
            "macro_definition foreign_mod_item"
        ),
    ),
    Language(
        "ruby",
        (".rb", ".rake", ".gemspec", ".ru", ".podspec"),
        ("Rakefile", "Gemfile", "Podfile", "Vagrantfile", "Fastfile", "Brewfile"),
        "tree_sitter_ruby",
        definitions=("class", "module", "method", "singleton_method", "singleton_class"),
    ),
    Language(
        "php",
        (".php", ".phtml"),
        module="tree_sitter_php",
        function="language_php",
        definitions=_kinds(
            "namespace_definition class_declaration interface_declaration trait_declaration "
            "enum_declaration function_definition method_declaration"
        ),
    ),
    Language(
        "swift",
        (".swift",),
        module="tree_sitter_swift",
        definitions=_kinds(
            "class_declaration protocol_declaration function_declaration init_declaration "
            "deinit_declaration subscript_declaration macro_declaration"
        ),
    ),
    Language(
        "lua",
        (".lua",),
        module="tree_sitter_lua",
        definitions=("function_declaration", "function_definition"),
    ),
    Language(
        "bash",
        (".sh", ".bash", ".zsh", ".ksh", ".bats"),
        (".bashrc", ".bash_profile", ".profile", ".zshrc", "PKGBUILD"),
        "tree_sitter_bash",
        definitions=("function_definition",),
        editor_ids=("shellscript", "sh", "zsh"),
    ),
    Language(
        "sql",
        (".sql", ".ddl", ".dml", ".psql"),
        module="tree_sitter_sql",
        definitions=("create_table", "create_function", "create_procedure", "create_view", "create_trigger"),
    ),
    Language(
        "html",
        (".html", ".htm", ".xhtml", ".vue", ".svelte"),
        module="tree_sitter_html",
        definitions=("element", "script_element", "style_element"),
        editor_ids=("vue", "svelte"),
    ),
    Language(
        "css",
        (".css", ".scss", ".less"),
        module="tree_sitter_css",
        definitions=("rule_set", "media_statement", "supports_statement", "keyframes_statement"),
        editor_ids=("scss", "less"),
    ),
    Language(
        "json",
        (".json", ".jsonc", ".json5", ".hjson"),
        (".eslintrc", ".prettierrc", ".babelrc"),
        "tree_sitter_json",
        definitions=("pair",),
        editor_ids=("jsonc",),
    ),
    Language(
        "yaml",
        (".yaml", ".yml"),
        (".clang-format", ".clang-tidy"),
        "tree_sitter_yaml",
        definitions=("block_mapping_pair",),
        editor_ids=("dockercompose",),
    ),
    Language(
        "toml",
        (".toml",),
        ("Cargo.lock", "poetry.lock", "Pipfile"),
        "tree_sitter_toml",
        definitions=("table", "table_array_element"),
    ),
    Language(
        "markdown",
        (".md", ".markdown", ".mdx"),
        module="tree_sitter_markdown",
        definitions=("section",),
    ),
    Language(
        "verilog",
        (".v", ".vh"),
        module="tree_sitter_systemverilog",
        definitions=_SYSTEMVERILOG_SCOPES,
    ),
    Language(
        "systemverilog",
        (".sv", ".svh", ".svi", ".sva"),
        module="tree_sitter_systemverilog",
        definitions=_SYSTEMVERILOG_SCOPES,
    ),
    Language(
        "vhdl",
        (".vhd", ".vhdl"),
        module="tree_sitter_vhdl",
        definitions=_kinds(
            "entity_declaration architecture_definition package_declaration package_definition "
            "process_statement subprogram_definition component_declaration configuration_declaration "
            "if_generate_statement for_generate_statement block_statement"
        ),
    ),
    Language(
        "starlark",
        (".bzl", ".star"),
        ("BUILD", "BUILD.bazel", "WORKSPACE", "WORKSPACE.bazel", "MODULE.bazel"),
        "tree_sitter_python",
        definitions=("function_definition",),
        editor_ids=("bazel",),
    ),
    Language(
        "hcl",
        (".tf", ".tfvars", ".hcl"),
        module="tree_sitter_hcl",
        definitions=("block",),
        editor_ids=("terraform", "terraform-vars"),
    ),
    Language(
        "make",
        (".mk", ".mak"),
        ("Makefile", "makefile", "GNUmakefile"),
        "tree_sitter_make",
        definitions=("rule", "define_directive"),
        editor_ids=("makefile",),
    ),
    Language(
        "nix",
        (".nix",),
        module="tree_sitter_nix",
        definitions=("binding", "function_expression", "let_expression"),
    ),
    Language(
        "elixir",
        (".ex", ".exs"),
        module="tree_sitter_elixir",
        definitions=("do_block",),  # `def` and `defmodule` are calls like any other
    ),
    Language(
        "haskell",
        (".hs",),
        module="tree_sitter_haskell",
        definitions=("class", "instance", "data_type", "newtype", "function"),
    ),
    Language(
        "julia",
        (".jl",),
        module="tree_sitter_julia",
        definitions=("module_definition", "struct_definition", "function_definition", "macro_definition"),
    ),
    Language(
        "zig",
        (".zig",),
        module="tree_sitter_zig",
        definitions=_kinds(
            "function_declaration struct_declaration enum_declaration union_declaration test_declaration"
        ),
    ),
    Language(
        "objc",
        (".m", ".mm"),
        module="tree_sitter_objc",
        definitions=_kinds(
            "class_interface class_implementation protocol_declaration method_definition function_definition "
            "struct_specifier"
        ),
        editor_ids=("objective-c", "objective-cpp"),
    ),
    Language(
        "groovy",
        (".groovy", ".gradle"),
        ("Jenkinsfile",),
        "tree_sitter_groovy",
        definitions=_kinds(
            "class_declaration interface_declaration enum_declaration method_declaration constructor_declaration "
            "function_definition"
        ),
    ),
    Language(
        "powershell",
        (".ps1", ".psm1"),
        module="tree_sitter_powershell",
        definitions=("function_statement", "class_statement", "class_method_definition"),
    ),
    # Known by name only: no wheel carries a grammar that earns its weight, so these are cut into line windows.
    Language("dockerfile", (".dockerfile",), ("Dockerfile", "Containerfile")),
    Language("cmake", (".cmake",), ("CMakeLists.txt",)),
    Language("tcl", (".tcl", ".sdc", ".xdc", ".do")),
    Language("perl", (".pl", ".pm", ".t")),
    Language("proto", (".proto",), editor_ids=("proto3",)),
    Language("xml", (".xml", ".xsd", ".xsl", ".svg")),
    Language("dart", (".dart",)),
    Language("r", (".r",)),
    Language("ocaml", (".ml", ".mli")),
    Language("fsharp", (".fs", ".fsi", ".fsx")),
    Language("erlang", (".erl", ".hrl")),
    Language("clojure", (".clj", ".cljs", ".cljc", ".edn")),
    Language(
        "lisp",
        (".lisp", ".el", ".scm", ".ss", ".rkt"),
        editor_ids=("commonlisp", "emacs-lisp", "scheme", "racket"),
    ),
    Language(
        "fortran",
        (".f", ".for", ".f77", ".f90", ".f95", ".f03", ".f08"),
        editor_ids=("fortran-modern", "FortranFreeForm", "fortran_fixed-form"),
    ),
    Language("solidity", (".sol",)),
    Language("ada", (".adb", ".ads")),
    Language("nim", (".nim", ".nims")),
    Language("assembly", (".s", ".asm"), editor_ids=("asm",)),
    Language("glsl", (".glsl", ".vert", ".frag", ".comp")),
    Language("graphql", (".graphql", ".gql")),
    Language("vim", (".vim",), (".vimrc",)),
    Language("meson", (), ("meson.build", "meson_options.txt")),
    Language("gn", (".gn", ".gni")),
    Language("systemrdl", (".rdl",)),
    Language("ini", (".ini", ".cfg", ".conf"), (".editorconfig",)),
    Language("rst", (".rst",), editor_ids=("restructuredtext",)),
    Language("hocon", (".hocon",)),
)
