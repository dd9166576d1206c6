--- The servers: one process for each repository, its start, its end and its return, and which buffers are attached to
--- it. Knows nothing of suggestions.
local config = require('ondol.config')
local log = require('ondol.log')
local scope = require('ondol.scope')
local session = require('ondol.session')
local sync = require('ondol.sync')
local api = vim.api
local M = {}

--- The oldest server that this plugin works with.
M.oldest_server = '0.1.0'
M.install = 'pipx install ondol'

local waits = { 200, 1000, 3000 } -- milliseconds before each new start after a crash; then it stops trying
local crash_window = 60 -- seconds: older crashes are forgotten
M.patience = 15000 -- milliseconds until a start that says nothing is told

---@class ondol.Server
---@field root string|nil the repository; nil: files outside of any
---@field client_id integer|nil
---@field ready boolean initialized
---@field version string|nil
---@field status table what the server last said about itself
---@field crashes integer[] when
---@field gave_up boolean
---@field leaving 'stop'|'restart'|nil why it is being stopped
---@type table<string, ondol.Server>
local servers = {}

local running = false

local function client_of(server)
  return server.client_id and vim.lsp.get_client_by_id(server.client_id) or nil
end

--- For status lines.
local function tell_change()
  api.nvim_exec_autocmds('User', { pattern = 'OndolStatus', modeline = false })
  vim.cmd('redrawstatus!')
end

local function on_status(_, params, context)
  for _, server in pairs(servers) do
    if server.client_id == context.client_id and type(params) == 'table' then
      if params.state ~= server.status.state or params.message ~= server.status.message then
        local name = vim.fn.fnamemodify(server.root or 'no repository', ':t')
        log.add('%s: %s, %s', name, tostring(params.state), tostring(params.message))
      end
      local ready = params.state == 'ready' and server.status.state ~= 'ready'
      server.status = params
      if ready then
        session.ask_again(context.client_id)
      end
      tell_change()
    end
  end
end

local function on_log_message(_, params)
  if type(params) == 'table' then
    log.add('server: %s', tostring(params.message))
  end
end

local levels = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO }

local function on_show_message(_, params)
  if type(params) == 'table' then
    log.tell((tostring(params.message):gsub('^Ondol: ', '')), levels[params.type] or vim.log.levels.INFO)
  end
end

local start

--- The process of a server has ended.
local function on_exit(server, code, signal)
  local client_id, leaving = server.client_id, server.leaving
  server.client_id, server.ready, server.leaving, server.status = nil, false, nil, {}
  if client_id then
    session.detach_client(client_id)
  end
  if leaving ~= 'stop' and leaving ~= 'restart' then
    log.add('the server ended by itself: exit code %d, signal %d', code, signal)
    local now = os.time()
    server.crashes = vim.tbl_filter(function(at)
      return now - at < crash_window
    end, server.crashes)
    table.insert(server.crashes, now)
    local wait = waits[#server.crashes]
    if wait then
      vim.defer_fn(function()
        M.consider_all()
      end, wait)
    else
      server.gave_up = true
      local stopped = ('the server stopped %d times in a row (exit code %d). '):format(#server.crashes, code)
      local cure = 'It is not started again. `:Ondol log` shows why, `:Ondol restart` tries again.'
      log.tell_once('crash', stopped .. cure)
    end
  elseif leaving == 'restart' then
    M.consider_all()
  end
  tell_change()
end

--- Too old, or not Ondol at all: said once, and not used.
local function unfit(server, result)
  local info, cure = result.serverInfo or {}, 'Cure: `pipx upgrade ondol`.'
  server.version = info.version
  local parsed = info.version and vim.version.parse(info.version)
  if parsed and vim.version.lt(parsed, M.oldest_server) then
    return ('the server is version %s, this plugin needs %s or newer. %s'):format(info.version, M.oldest_server, cure)
  end
  local provider = vim.tbl_get(result, 'capabilities', 'inlineCompletionProvider')
  if provider == nil or provider == false or provider == vim.NIL then
    local name = info.name or config.options.cmd[1]
    return ('%s does not offer inline completion: it is too old, or not Ondol. %s'):format(name, cure)
  end
end

local function capabilities()
  local all = vim.lsp.protocol.make_client_capabilities()
  all.textDocument.inlineCompletion = all.textDocument.inlineCompletion or { dynamicRegistration = false }
  all.workspace.didChangeWatchedFiles = nil -- the server looks for itself
  return all
end

--- Neovim 0.10 fails over buffers that a client still holds when it ends and that are gone.
local function forget_wiped(server)
  local client = client_of(server)
  for buffer in pairs(client and client.attached_buffers or {}) do
    if not api.nvim_buf_is_valid(buffer) then
      client.attached_buffers[buffer] = nil
    end
  end
end

local function configuration(server, command)
  local root = server.root
  local folders = root and { { uri = vim.uri_from_fname(root), name = vim.fs.basename(root) } } or nil
  return {
    name = 'ondol',
    cmd = function(dispatchers)
      local exited = dispatchers.on_exit
      dispatchers.on_exit = function(code, signal)
        vim.schedule(function()
          forget_wiped(server)
        end)
        -- Neovim is told of a good end, or it would add a message of its own for each crash.
        exited(0, 0)
        vim.schedule(function()
          if vim.v.exiting == vim.NIL then
            on_exit(server, code, signal)
          end
        end)
      end
      return sync.over(vim.lsp.rpc.start(command, dispatchers))
    end,
    root_dir = server.root,
    workspace_folders = folders,
    capabilities = capabilities(),
    flags = { debounce_text_changes = 0 }, -- see ondol.sync
    init_options = next(config.options.settings) and config.options.settings or vim.empty_dict(),
    settings = { ondol = config.options.settings },
    handlers = {
      ['ondol/status'] = on_status,
      ['window/logMessage'] = on_log_message,
      ['window/showMessage'] = on_show_message,
    },
    on_init = function(client, result)
      local reason = unfit(server, result)
      if reason then
        server.leaving, server.gave_up = 'stop', true
        log.tell_once('unfit', reason)
        vim.schedule(function()
          session.call(client, 'stop')
        end)
        return
      end
      server.ready = true
      -- The list of `completion_fallback` is for editors without grey text; here it would say everything twice.
      client.server_capabilities.completionProvider = nil
      log.add('started: %s %s for %s', command[1], server.version or '', server.root or 'files outside of a repository')
    end,
    on_attach = function(client, buffer)
      if server.client_id == client.id and server.ready then
        session.attach(buffer, client)
      end
    end,
  }
end

--- Starts a server, or takes the one that runs, and lets it see the buffer.
start = function(server, buffer)
  local client = client_of(server)
  if not client then
    local path = vim.fn.exepath(config.options.cmd[1])
    if path == '' then
      server.gave_up = true
      local missing = 'the program `%s` was not found. Install it with `%s`, then `:Ondol restart`.'
      log.tell_once('missing', missing:format(config.options.cmd[1], M.install))
      return
    end
    local command = vim.list_extend({ path }, config.options.cmd, 2)
    server.status = { state = 'starting' }
    local started, id = pcall(vim.lsp.start, configuration(server, command), {
      bufnr = buffer,
      reuse_client = function()
        return false
      end,
    })
    if not started or not id then
      server.gave_up = true
      log.tell_once('start', ('`%s` could not be started%s'):format(command[1], started and '' or ': ' .. tostring(id)))
      return
    end
    server.client_id = id
    vim.defer_fn(function()
      if server.client_id == id and not server.ready then
        local silent = '`%s` was started but has not answered for %d seconds. `:Ondol log` may say why.'
        log.tell_once('silent', silent:format(config.options.cmd[1], M.patience / 1000))
      end
    end, M.patience)
  elseif not session.attached(buffer) then
    vim.lsp.buf_attach_client(buffer, client.id)
  end
end

local function let_go(buffer)
  session.detach(buffer)
  for _, server in pairs(servers) do
    local client = client_of(server)
    if client and client.attached_buffers[buffer] then
      vim.lsp.buf_detach_client(buffer, client.id)
    end
  end
end

---@param buffer integer
---@return ondol.Server
local function server_of(buffer)
  local root = scope.root_of(buffer)
  local key = root or ''
  servers[key] = servers[key] or { root = root, ready = false, status = {}, crashes = {}, gave_up = false }
  return servers[key]
end

--- Attaches the buffer to its server or takes it away, as things stand now.
---@param buffer integer
function M.consider(buffer)
  if not running or not api.nvim_buf_is_loaded(buffer) then
    return
  end
  if not scope.wanted(buffer) or not scope.eligible(buffer) then
    return let_go(buffer)
  end
  local server = server_of(buffer)
  local client = client_of(server)
  if client and client.attached_buffers[buffer] and session.attached(buffer) then
    return
  end
  let_go(buffer)
  if not server.gave_up and not server.leaving then
    start(server, buffer)
  end
end

function M.consider_all()
  for _, buffer in ipairs(api.nvim_list_bufs()) do
    -- A buffer that was only listed, as by :argadd, is not loaded and has no text yet.
    if api.nvim_buf_is_loaded(buffer) then
      M.consider(buffer)
    end
  end
end

--- Begins to look at buffers.
function M.run()
  running = true
  scope.enable(config.options.enabled)
  local group = api.nvim_create_augroup('ondol', { clear = true })
  api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile', 'BufFilePost', 'BufWritePost', 'FileType' }, {
    group = group,
    desc = 'Ondol: show the buffer to the server',
    callback = function(event)
      vim.schedule(function()
        M.consider(event.buf)
      end)
    end,
  })
  api.nvim_create_autocmd('OptionSet', {
    group = group,
    pattern = { 'readonly', 'modifiable', 'buftype', 'binary' },
    callback = function()
      local buffer = api.nvim_get_current_buf()
      vim.schedule(function()
        M.consider(buffer)
      end)
    end,
  })
  -- Neovim does this by itself only while its listener on the buffer lives (see ondol.sync).
  api.nvim_create_autocmd('BufUnload', {
    group = group,
    desc = 'Ondol: the server may forget the buffer',
    callback = function(event)
      let_go(event.buf)
    end,
  })
  api.nvim_create_autocmd('ColorScheme', { group = group, callback = require('ondol.ghost').define_colour })
  require('ondol.menu').watch(group, session.menu_changed)
  vim.schedule(M.consider_all)
end

--- Stops all servers; with `again` they come back, whatever happened before.
---@param again boolean
function M.stop(again)
  log.forget()
  local waiting = false
  for key, server in pairs(servers) do
    server.crashes, server.gave_up = {}, false
    local client = client_of(server)
    if client then
      server.leaving, waiting = again and 'restart' or 'stop', true
      session.call(client, 'stop')
      vim.defer_fn(function()
        if server.leaving and client_of(server) == client then
          session.call(client, 'stop', true)
        end
      end, 2000)
    else
      servers[key] = nil
    end
  end
  if again and not waiting then
    M.consider_all()
  end
end

--- Switches suggestions on or off: see ondol.scope.
---@return boolean on
---@return string what
function M.switch(which, on, filetype)
  local now, what = scope.switch(which, on, filetype)
  M.consider_all()
  tell_change()
  return now, what
end

---@return boolean
function M.running()
  return running
end

---@param buffer integer
---@return ondol.Server|nil
---@return vim.lsp.Client|nil
function M.server(buffer)
  local server = servers[scope.root_of(buffer) or '']
  return server, server and client_of(server)
end

---@return ondol.Server[]
function M.servers()
  return vim.tbl_values(servers)
end

return M
