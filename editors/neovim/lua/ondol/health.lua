--- :checkhealth ondol. Also runs on unsupported Neovim versions, to report them.
local M = {}

local health = vim.health or require('health')
local start, ok = health.start or health.report_start, health.ok or health.report_ok
local info, warn = health.info or health.report_info, health.warn or health.report_warn
local fail = health.error or health.report_error

local function check_neovim()
  start('Neovim')
  local version = vim.version()
  local name = ('Neovim %d.%d.%d'):format(version.major, version.minor, version.patch)
  if vim.fn.has('nvim-0.10') == 0 then
    fail(name .. ' is too old: Ondol needs 0.10 or newer')
    return false
  end
  local builtin = require('ondol.builtin').available()
  local own = require('ondol.config').options.display == 'own'
  local by = builtin and not own and 'vim.lsp.inline_completion' or "this plugin's own ghost text"
  ok(name .. ': suggestions are shown with ' .. by)
  return true
end

local function check_server()
  start('Server')
  local client, config = require('ondol.client'), require('ondol.config')
  local program = config.options.cmd[1]
  local path = vim.fn.exepath(program)
  if path == '' then
    return fail(('`%s` is not on PATH'):format(program), {
      ('install it: `%s`'):format(require('ondol.install').command()),
      'or set its path: setup{ cmd = { "/path/to/ondol", "serve", "--stdio" } }',
    })
  end
  local run, result = pcall(function()
    return vim.system({ path, '--version' }, { text = true, timeout = 10000 }):wait()
  end)
  local version = run and result.code == 0 and vim.trim(result.stdout):match('%d+%.%d+%S*')
  if not version then
    warn(('%s does not report its version'):format(path), { '`:Ondol doctor` shows more' })
  else
    local parsed = vim.version.parse(version)
    if parsed and vim.version.lt(parsed, client.oldest_server) then
      local needed = ('%s has version %s, but %s or newer is needed'):format(path, version, client.oldest_server)
      fail(needed, { require('ondol.install').advice() })
    else
      ok(('%s, version %s'):format(path, version))
    end
  end
  if not client.running() then
    return warn('setup() was not called', { "call require('ondol').setup{} in your init.lua" })
  end
  local servers = client.servers()
  if #servers == 0 then
    info('no server runs, because no file was opened yet')
  end
  for _, server in ipairs(servers) do
    local line = require('ondol.status').describe(server)
    if server.gave_up or server.status.state == 'problem' then
      fail(line, { '`:Ondol log` shows the reason, `:Ondol restart` starts it again' })
    elseif server.ready then
      ok(line)
    else
      info(line)
    end
  end
end

local function check_buffers()
  start('Buffers')
  local scope, session = require('ondol.scope'), require('ondol.session')
  if not scope.enabled() then
    info('suggestions are off everywhere (`:Ondol enable` switches them on)')
  end
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    local eligible, cannot = scope.eligible(buffer)
    if vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].buflisted then
      local wanted, why_not = scope.wanted(buffer)
      local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(buffer), ':~:.')
      name = name == '' and '[No Name]' or name
      local state = session.attached(buffer) and 'on' or 'waiting for the server'
      state = not eligible and 'no suggestions, ' .. cannot or not wanted and why_not or state
      info(('%s: %s'):format(name, state))
    end
  end
end

local function check_keys_and_menus()
  start('Keys and menus')
  local config = require('ondol.config')
  local any = false
  for _, action in ipairs(config.actions) do
    local key = config.options.keys[action]
    if key then
      any = true
      if require('ondol.keymaps').has(key, action) then
        ok(('%s: %s'):format(key, (action:gsub('_', ' '))))
      else
        warn(('%s was mapped to something else after setup()'):format(key), {
          'call setup() later, or use <Plug>(ondol-' .. action:gsub('_', '-') .. ')',
        })
      end
    end
  end
  if not any and vim.fn.hasmapto('<Plug>(ondol-accept)', 'i') == 0 then
    warn('no key accepts suggestions', { "for example: setup{ keys = { accept = '<Tab>' } }" })
  end
  local menus = require('ondol.completion_menu').loaded()
  info(
    ('menu = %q%s'):format(config.options.menu, #menus > 0 and '; loaded menus: ' .. table.concat(menus, ', ') or '')
  )
end

--- Runs all checks.
function M.check()
  if check_neovim() then
    check_server()
    check_buffers()
    check_keys_and_menus()
  end
end

return M
