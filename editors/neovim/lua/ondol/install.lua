--- The shell commands that install and update the server. They name the checkout that this plugin is part of, never a
--- bare name: Ondol is not in a public package index.
local M = {}

--- What pipx installs: the checkout around this plugin, or else a wheel that the user has.
local function source()
  local here = vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p')
  local root = vim.fn.fnamemodify(here, ':h:h:h:h:h')
  if vim.fn.filereadable(root .. '/pyproject.toml') == 1 then
    return vim.fn.shellescape(root):gsub("^'([%w%./_~-]+)'$", '%1')
  end
  return '/path/to/ondol-VERSION-py3-none-any.whl'
end

--- The command that installs the server.
function M.command()
  return 'pipx install ' .. source()
end

--- The sentence that says how to update the server.
function M.advice()
  return ('Update it with `pipx install --force %s`.'):format(source())
end

return M
