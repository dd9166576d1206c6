--- The suggestion of each attached buffer: asks, follows the typing, shows, accepts, reports. Knows neither how the
--- server is started nor which buffers it may see.
local builtin = require('ondol.builtin')
local config = require('ondol.config')
local ghost = require('ondol.ghost')
local log = require('ondol.log')
local menu = require('ondol.menu')
local suggestion = require('ondol.suggestion')
local text = require('ondol.text')
local api = vim.api
local M = {}

local invoked, automatic = 1, 2
local cancelled, content_modified = -32800, -32801

---@class ondol.Session
---@field client vim.lsp.Client
---@field send fun(params: table, handler: function, buffer: integer): boolean, integer?
---@field display table { draw(rest, hint, item), clear() }
---@field own boolean this plugin draws and asks by itself
---@field suggestions ondol.Suggestion[]
---@field index integer which of them
---@field cycled boolean the user went through them: show which one it is
---@field pending integer|nil id of the running request
---@field asked integer number of the last request
---@field dismissed integer|nil changedtick at which the user did not want to see anything
---@field place string|nil text version and cursor that were asked for last
---@field visible boolean
---@field reported table<any, true> items, by their id, whose showing was reported
---@field timer uv.uv_timer_t|nil
---@type table<integer, ondol.Session>
local sessions = {}

local last_shown ---@type string|nil id of the item that was shown last
local senders = setmetatable({}, { __mode = 'k' })

--- Calls a method of a client: with a dot in 0.10, with a colon since 0.11.
local function call(client, name, ...)
  if vim.fn.has('nvim-0.11') == 1 then
    return client[name](client, ...)
  end
  return client[name](...)
end
M.call = call

--- Cursor of the current window: line from 0, byte.
local function cursor()
  local at = api.nvim_win_get_cursor(0)
  return at[1] - 1, at[2]
end

local function inserting(buffer)
  return api.nvim_get_current_buf() == buffer and api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

local function stop_timer(session)
  if session.timer then
    session.timer:stop()
    session.timer:close()
    session.timer = nil
  end
end

local function cancel(session)
  stop_timer(session)
  session.place = nil
  session.asked = session.asked + 1
  if session.pending then
    pcall(call, session.client, 'cancel_request', session.pending)
    session.pending = nil
  end
end

local function drop(session)
  if #session.suggestions > 0 then
    session.place = nil
  end
  session.suggestions, session.index, session.cycled, session.visible = {}, 1, false, false
  session.display.clear()
end

--- The id that the server gave to an item, in its command.
local function id_of(item)
  local arguments = type(item.command) == 'table' and item.command.arguments
  local first = type(arguments) == 'table' and arguments[1]
  return type(first) == 'table' and first.id or nil
end

local function report_shown(session, item)
  local id = id_of(item)
  if session.reported[id or item] then
    return
  end
  session.reported[id or item] = true
  last_shown = id
  call(session.client, 'notify', 'textDocument/didShowCompletion', { item = item })
end

--- Brings the screen in line with the text: draws what is left of the suggestion, or takes it away.
---@param buffer integer
function M.refresh(buffer)
  local session = sessions[buffer]
  if not session then
    return
  end
  if not inserting(buffer) then
    return drop(session)
  end
  local row, column = cursor()
  local current = session.suggestions[session.index]
  local rest = current and suggestion.rest(current, row, column)
  if not rest then
    return drop(session)
  end
  if config.options.menu == 'hide' and menu.visible() then
    session.visible = false
    return session.display.clear()
  end
  local hint = session.cycled and (' (%d/%d)'):format(session.index, #session.suggestions) or nil
  session.display.draw(rest, hint, current.item)
  session.visible = true
  report_shown(session, current.item)
end

local function on_answer(buffer, session, ticket, err, result)
  if sessions[buffer] ~= session or session.asked ~= ticket.number then
    return
  end
  session.pending = nil
  if err then
    if err.code ~= cancelled and err.code ~= content_modified then
      log.add('the server answered with an error: %s', tostring(err.message))
    end
    return
  end
  if type(result) ~= 'table' or not inserting(buffer) then
    return
  end
  local row, column = cursor()
  if api.nvim_buf_get_changedtick(buffer) ~= ticket.tick or row ~= ticket.row or column ~= ticket.column then
    return
  end
  local suggestions = {}
  for _, item in ipairs(result.items or result) do
    local one, reason = suggestion.from_item(item, buffer, row, column, ticket.line, session.client.offset_encoding)
    if one then
      suggestions[#suggestions + 1] = one
    else
      log.add('a suggestion was not shown: %s', reason)
    end
  end
  session.suggestions, session.index, session.cycled = suggestions, 1, false
  M.refresh(buffer)
  if ticket.after then
    ticket.after(session)
  end
end

--- Asks the server. Whatever was asked before for this buffer is cancelled.
---@param buffer integer
---@param kind integer 1 Invoked, 2 Automatic
---@param after fun(session: ondol.Session)|nil called once the answer is in
local function ask(buffer, kind, after)
  local session = sessions[buffer]
  if not session or not inserting(buffer) then
    return
  end
  local tick = api.nvim_buf_get_changedtick(buffer)
  local row, column = cursor()
  local place = ('%d:%d:%d'):format(tick, row, column)
  if kind == automatic then
    local current = session.suggestions[session.index]
    local unwanted = session.dismissed == tick or session.place == place or vim.fn.reg_executing() ~= ''
    local shown = current and suggestion.rest(current, row, column)
    if unwanted or shown or (config.options.menu == 'hide' and menu.visible()) then
      return
    end
  end
  cancel(session)
  session.dismissed, session.place = nil, place
  local line = api.nvim_get_current_line()
  local ticket = { number = session.asked, tick = tick, row = row, column = column, line = line, after = after }
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(buffer) },
    position = { line = row, character = text.units(line:sub(1, column), session.client.offset_encoding) },
    context = { triggerKind = kind },
  }
  local sent, id = session.send(params, function(err, result)
    on_answer(buffer, session, ticket, err, result)
  end, buffer)
  session.pending = sent and id or nil
end

local function ask_soon(buffer)
  local session = sessions[buffer]
  if not session then
    return
  end
  stop_timer(session)
  if #session.suggestions > 0 then
    return
  end
  session.timer = vim.defer_fn(function()
    session.timer = nil
    ask(buffer, automatic)
  end, config.options.debounce_ms)
end

local function own_display(buffer)
  return {
    clear = function()
      ghost.clear(buffer)
    end,
    draw = function(rest, hint)
      ghost.draw(buffer, rest, hint)
    end,
  }
end

--- How requests of this client are sent. On 0.12 the built-in module's requests come through here as well.
local function sender(client, own)
  if not senders[client] then
    if own then
      senders[client] = function(params, handler, buffer)
        return call(client, 'request', 'textDocument/inlineCompletion', params, handler, buffer)
      end
    else
      senders[client] = builtin.take_over(client, function(buffer, kind, sink)
        local session = sessions[buffer]
        if session then
          local first = session.display.sink == nil
          session.display.sink = sink
          if first and session.visible then
            M.refresh(buffer) -- so far it was drawn without the module
          end
          ask(buffer, kind)
        end
      end)
    end
  end
  return senders[client]
end

local function watch(buffer, own)
  local group = api.nvim_create_augroup('ondol_buffer_' .. buffer, { clear = true })
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = group, buffer = buffer, callback = callback })
  end
  on({ 'TextChangedI', 'TextChangedP', 'InsertEnter' }, function()
    M.refresh(buffer)
    if own then
      ask_soon(buffer)
    end
  end)
  on('CursorMovedI', function()
    M.refresh(buffer)
  end)
  on({ 'InsertLeave', 'BufLeave' }, function()
    local session = sessions[buffer]
    if session then
      cancel(session)
      drop(session)
    end
  end)
end

--- The server knows more than before, for instance because its index is ready: what it had nothing for may have an
--- answer now.
---@param client_id integer
function M.ask_again(client_id)
  local buffer = api.nvim_get_current_buf()
  local session = sessions[buffer]
  if session and session.client.id == client_id and inserting(buffer) and #session.suggestions == 0 then
    session.place = nil
    if session.own then
      ask_soon(buffer)
    else
      builtin.nudge(buffer)
    end
  end
end

--- A completion menu was opened or closed.
function M.menu_changed()
  local buffer = api.nvim_get_current_buf()
  if sessions[buffer] and inserting(buffer) then
    M.refresh(buffer)
    ask_soon(buffer)
  end
end

--- Begins to suggest in a buffer.
---@param buffer integer
---@param client vim.lsp.Client
function M.attach(buffer, client)
  M.detach(buffer)
  local own = config.options.display == 'own' or not builtin.available()
  sessions[buffer] = {
    client = client,
    own = own,
    send = sender(client, own),
    display = own and own_display(buffer) or builtin.display(buffer, client),
    reported = setmetatable({}, { __mode = 'k' }),
    suggestions = {},
    index = 1,
    cycled = false,
    asked = 0,
    visible = false,
  }
  if own then
    if builtin.available() then
      vim.lsp.inline_completion.enable(false, { client_id = client.id })
    end
  else
    builtin.enable(buffer)
  end
  watch(buffer, own)
  -- Somebody may be typing already when a server comes.
  if own then
    ask_soon(buffer)
  else
    vim.schedule(vim.schedule_wrap(function()
      builtin.nudge(buffer)
    end))
  end
end

--- Ends it: nothing is asked and nothing is shown any more.
---@param buffer integer
function M.detach(buffer)
  local session = sessions[buffer]
  if not session then
    return
  end
  cancel(session)
  sessions[buffer] = nil
  pcall(api.nvim_del_augroup_by_name, 'ondol_buffer_' .. buffer)
  ghost.clear(buffer)
  pcall(session.display.clear)
end

---@param client_id integer
---@return integer[] the buffers that were attached
function M.detach_client(client_id)
  local buffers = {}
  for buffer, session in pairs(sessions) do
    if session.client.id == client_id then
      buffers[#buffers + 1] = buffer
    end
  end
  vim.tbl_map(M.detach, buffers)
  return buffers
end

---@param buffer integer
---@return boolean
function M.attached(buffer)
  return sessions[buffer] ~= nil
end

---@return 'builtin'|'own'|nil
function M.display_of(buffer)
  local session = sessions[buffer]
  return session and (session.own and 'own' or 'builtin') or nil
end

---@return string|nil id of the item that was shown last
function M.last_shown()
  return last_shown
end

---@param buffer integer
---@return ondol.Session|nil
function M.of(buffer)
  return sessions[buffer]
end

M.ask, M.cancel, M.drop, M.cursor, M.invoked = ask, cancel, drop, cursor, invoked

return M
