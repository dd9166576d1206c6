--- Repeats an edit at all places: lists them in a window in which places can be left out, then applies the others.
local client = require('ondol.client')
local edit_diff = require('ondol.edit_diff')
local edit_offer = require('ondol.edit_offer')
local install = require('ondol.install')
local log = require('ondol.log')
local requests = require('ondol.requests')
local session = require('ondol.session')
local text = require('ondol.text')
local window = require('ondol.window')
local api = vim.api
local M = {}

local command = 'ondol.repeatEdit'
local ticked_from = 0.5 -- a place that is less probable is not ticked at first
local namespace = api.nvim_create_namespace('ondol_repeat')
local keys_line = '<Space> leaves a place out or takes it in, a all or none, <CR> applies, q closes'

---@class ondol.Place
---@field uri string
---@field change table the LSP text edit
---@field hunk ondol.Hunk
---@field neighbour { row: integer, line: string }|nil for new lines: the line that they stand next to
---@field probability number
---@field ticked boolean
---@field first integer|nil its first line in the list, from 0
---@field last integer|nil its last line in the list

---@class ondol.PlaceList
---@field client vim.lsp.Client
---@field title string
---@field files { path: string, places: ondol.Place[] }[]
---@field invalid integer places that do not fit their document

local function count_of(number, one, many)
  return ('%d %s'):format(number, number == 1 and one or many)
end

--- The lines of a document: of its buffer if it is loaded, else of its file.
local function lines_of(uri)
  local buffer = edit_offer.buffer_of(uri)
  if buffer then
    return api.nvim_buf_get_lines(buffer, 0, -1, false)
  end
  local read, lines = pcall(vim.fn.readfile, vim.uri_to_fname(uri))
  return read and vim.tbl_map(function(line)
    return (line:gsub('\r$', ''))
  end, lines) or {}
end

--- The line that new lines stand next to: without it, only a number says where they would come.
local function neighbour_of(hunk, lines)
  if #hunk.old > 0 then
    return nil
  end
  for _, row in ipairs({ hunk.row - 1, hunk.row }) do
    local line = lines[row + 1]
    if line and line:find('%S') then
      return { row = row, line = line }
    end
  end
end

--- The places of the server's answer.
local function list_of(result, running)
  local list = { client = running, title = tostring(result.title or ''), files = {}, invalid = 0 }
  for _, file in ipairs(type(result.files) == 'table' and result.files or {}) do
    local lines, places = lines_of(file.uri), {}
    for _, edit in ipairs(file.edits) do
      local change = { range = edit.range, newText = edit.newText, text = edit.newText }
      local hunk = edit_diff.hunk(change, lines, running.offset_encoding)
      local probability = tonumber(edit.probability) or 1
      if hunk then
        local ticked = probability >= ticked_from
        local place = { uri = file.uri, change = change, hunk = hunk, probability = probability, ticked = ticked }
        place.neighbour = neighbour_of(hunk, lines)
        places[#places + 1] = place
      else
        list.invalid = list.invalid + 1
      end
    end
    if #places > 0 then
      list.files[#list.files + 1] = { path = tostring(file.path or vim.uri_to_fname(file.uri)), places = places }
    end
  end
  return list
end

local function each(list, visit)
  for _, file in ipairs(list.files) do
    for _, place in ipairs(file.places) do
      visit(place, file)
    end
  end
end

local function totals(list)
  local all, ticked = 0, 0
  each(list, function(place)
    all = all + 1
    ticked = ticked + (place.ticked and 1 or 0)
  end)
  return all, ticked
end

--- The lines of the window, and the highlight group of each line that has one.
local function render(list)
  local all, ticked = totals(list)
  local chosen = ('%d of %s in %s'):format(
    ticked,
    count_of(all, 'place', 'places'),
    count_of(#list.files, 'file', 'files')
  )
  local lines, groups = { ('Repeat: %s. %s'):format(list.title, chosen), keys_line }, {}
  local function add(line, group)
    lines[#lines + 1] = line
    groups[#lines - 1] = group
  end
  for _, file in ipairs(list.files) do
    add('')
    add(file.path, 'Directory')
    for _, place in ipairs(file.places) do
      place.first = #lines
      local box = place.ticked and '[x]' or '[ ]'
      add(('%s line %d, %d %%'):format(box, place.hunk.row + 1, math.floor(place.probability * 100 + 0.5)))
      local neighbour = place.neighbour and '      ' .. text.expand_tabs(place.neighbour.line, 0, 4)
      if neighbour and place.neighbour.row < place.hunk.row then
        add(neighbour)
      end
      for _, line in ipairs(place.hunk.old) do
        add('    - ' .. text.expand_tabs(line, 0, 4), 'OndolEditOld')
      end
      for _, line in ipairs(place.hunk.new) do
        add('    + ' .. text.expand_tabs(line, 0, 4), 'OndolEditNew')
      end
      if neighbour and place.neighbour.row >= place.hunk.row then
        add(neighbour)
      end
      place.last = #lines - 1
    end
  end
  return lines, groups
end

local function draw(buffer, list)
  local lines, groups = render(list)
  vim.bo[buffer].modifiable = true
  api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].modifiable = false
  api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  for row, group in pairs(groups) do
    local from = group == 'Directory' and 0 or 6
    local stop = #lines[row + 1]
    api.nvim_buf_set_extmark(buffer, namespace, row, math.min(from, stop), { end_col = stop, hl_group = group })
  end
end

--- Whether the lines of a place, or for new lines the one next to them, are still those of the list.
local function unchanged(buffer, place)
  local hunk, neighbour = place.hunk, place.neighbour
  local old = api.nvim_buf_get_lines(buffer, hunk.row, hunk.row + #hunk.old, false)
  local next_to = neighbour and api.nvim_buf_get_lines(buffer, neighbour.row, neighbour.row + 1, false)[1]
  return vim.deep_equal(old, hunk.old) and (not neighbour or next_to == neighbour.line)
end

--- Applies the ticked places of one file as one undo step. Returns how many were applied and how many were not.
local function apply_file(list, file)
  local wanted = vim.tbl_filter(function(place)
    return place.ticked
  end, file.places)
  if #wanted == 0 then
    return 0, 0
  end
  local buffer = vim.fn.bufadd(vim.uri_to_fname(wanted[1].uri))
  vim.fn.bufload(buffer)
  vim.bo[buffer].buflisted = true
  local changes = {}
  for _, place in ipairs(wanted) do
    if vim.bo[buffer].modifiable and unchanged(buffer, place) then
      changes[#changes + 1] = { range = place.change.range, newText = place.change.newText }
    end
  end
  if #changes > 0 then
    vim.lsp.util.apply_text_edits(changes, buffer, list.client.offset_encoding)
  end
  return #changes, #wanted - #changes
end

local function apply(list)
  local applied, left_out, files = 0, 0, 0
  for _, file in ipairs(list.files) do
    local done, skipped = apply_file(list, file)
    applied, left_out, files = applied + done, left_out + skipped, files + (done > 0 and 1 or 0)
  end
  local message = ('changed %s in %s; :wall saves them'):format(
    count_of(applied, 'place', 'places'),
    count_of(files, 'file', 'files')
  )
  if left_out > 0 then
    message = ('%s. %s had changed meanwhile and were left out'):format(message, count_of(left_out, 'place', 'places'))
  end
  log.notify(message)
end

--- Changes the check marks of the places in some lines of the window.
local function toggle(buffer, list, first, last)
  each(list, function(place)
    if place.first <= last and place.last >= first then
      place.ticked = not place.ticked
    end
  end)
  draw(buffer, list)
end

local function map(buffer, list)
  local function on(modes, key, description, action)
    vim.keymap.set(modes, key, action, { buffer = buffer, nowait = true, desc = description })
  end
  on('n', '<Space>', 'Leave the place out, or take it in', function()
    local row = api.nvim_win_get_cursor(0)[1] - 1
    toggle(buffer, list, row, row)
  end)
  on('x', '<Space>', 'Leave the places out, or take them in', function()
    local one, other = vim.fn.line('v') - 1, vim.fn.line('.') - 1
    vim.cmd('normal! \27') -- ends Visual mode
    toggle(buffer, list, math.min(one, other), math.max(one, other))
  end)
  on('n', 'a', 'All places, or none', function()
    local all, ticked = totals(list)
    each(list, function(place)
      place.ticked = ticked < all
    end)
    draw(buffer, list)
  end)
  on('n', '<CR>', 'Apply', function()
    vim.cmd('close')
    apply(list)
  end)
end

--- Asks the server for all places of the last edit that can be repeated, and lists them.
function M.run()
  local buffer = api.nvim_get_current_buf()
  local _, running = client.server(buffer)
  if not running or not session.attached(buffer) then
    return log.notify('no server runs for this buffer. `:Ondol status` shows the reason.', vim.log.levels.WARN)
  elseif not requests.has_command(running, command) then
    return log.notify('the server is too old for this. ' .. install.advice(), vim.log.levels.WARN)
  end
  local row, column = session.cursor()
  local character = text.units(api.nvim_get_current_line():sub(1, column), running.offset_encoding)
  local place = { uri = vim.uri_from_bufnr(buffer), position = { line = row, character = character } }
  requests.execute(running, command, { place }, function(err, result)
    if err then
      return log.notify(('the server reported an error: %s'):format(tostring(err.message)), vim.log.levels.WARN)
    end
    local list = type(result) == 'table' and list_of(result, running)
    if not list or #list.files == 0 then
      return log.notify('there is no edit that can be repeated elsewhere')
    end
    local preview = window.open('repeat', (render(list)))
    draw(preview, list)
    map(preview, list)
    local first = list.files[1].places[1].first
    api.nvim_win_set_cursor(0, { first + 1, 0 })
  end)
end

return M
